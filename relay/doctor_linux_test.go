package relay

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bluerelay/wire"
)

// smallDisk mounts a disk of 2 MB.
func smallDisk(t testing.TB, dir string) {
	t.Helper()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=2m,mode=0700"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no small disk can be made here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// fill takes all the room that a small disk has left, until it is emptied.
func fill(t testing.TB, dir string) (empty func()) {
	t.Helper()
	path := filepath.Join(dir, "fill")
	if err := os.WriteFile(path, make([]byte, 4<<20), 0o600); !full(err) {
		t.Fatalf("the disk is not full: %v", err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// A state folder on a disk that becomes full: the agent lives, answers and says so, and
// nobody says that it is chat.db that cannot be read. When there is room again, the Mac is
// well by itself, and what came in meanwhile is told.
func TestDoctorOnAFullDisk(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.onMac(nil)
	credential, err := LoadCredential(m.cfg.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	smallDisk(t, m.cfg.StateDir)
	if err := credential.save(m.cfg.StateDir); err != nil {
		t.Fatal(err)
	}
	m.start()
	found := m.settled("disk fail", "account unknown")
	if first := found.First(); !strings.Contains(first.Next, "Make room") {
		t.Errorf("%+v", first)
	}
	empty := fill(t, m.cfg.StateDir)
	m.say("IN-1", alice, "hello", false, time.Now())
	found = m.settled("disk fail", "chat_db unknown", "schema unknown", "account unknown")
	if first := found.First(); first.Next != cannotWrite {
		t.Errorf("%+v", first)
	}
	m.until("the cloud knows", func() bool { return m.health.Code == wire.ProblemDisk })
	if reason := m.relay.health.reason(wire.ProblemChatDB); reason != "" {
		t.Errorf("chat.db is blamed: %s", reason)
	}
	empty()
	m.until("it is well again", func() bool { return m.health.Ready })
	m.hears("received  0")
	m.stop()
}

// An order whose file finds no room takes the problem with it when it ends.
func TestNoRoomForAFile(t *testing.T) {
	t.Parallel()
	content := bytesOf(3 << 20)
	d := newDownload(t, content, int64(len(content)))
	if err := os.Mkdir(d.root, 0o700); err != nil {
		t.Fatal(err)
	}
	smallDisk(t, d.root)
	var serving sync.WaitGroup
	serving.Go(func() { d.f.serve(t.Context(), partOf(t, d.j, "msg_1", partFile)) })
	<-d.f.health.changed
	if h := d.f.health.now(); h.Code != wire.ProblemDisk || !strings.Contains(h.Reason, "no room") {
		t.Errorf("%+v", h)
	}
	if err := cancel(t, d.j, "msg_1", 1); err != nil {
		t.Fatal(err)
	}
	serving.Wait()
	if h := d.f.health.now(); !h.Ready {
		t.Errorf("after its order has ended: %+v", h)
	}
}

// A socket that stands open by mistake is still its own user's alone.
func TestSocketIsForItsOwnUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("the tests do not run as root")
		}
		t.Skip("only root can be somebody else")
	}
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	chmod(t, dir, 0o755)
	listener, err := listenLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, _ := listener.Accept() // it ends with an error when the listener is closed
		accepted <- conn
	}()
	path := filepath.Join(dir, socketFile)
	chmod(t, path, 0o666)
	said := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread of another user ends here
		const nobody = 65534
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			said <- errno
			return
		}
		conn, err := net.Dial("unix", path)
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
			conn.Close()
		}
		said <- err
	}()
	if err := <-said; err == nil || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Errorf("another user: %v, want to be cut off", err)
	}
	listener.Close()
	if conn := <-accepted; conn != nil {
		t.Error("another user was let in")
	}
}
