package relay

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A state folder on a full disk: the agent lives, answers and says so.
func TestDoctorOnAFullDisk(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.onMac(nil)
	credential, err := LoadCredential(m.cfg.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", m.cfg.StateDir, "tmpfs", 0, "size=2m,mode=0700"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no small disk can be made here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(m.cfg.StateDir, 0) })
	if err := credential.save(m.cfg.StateDir); err != nil {
		t.Fatal(err)
	}
	m.start()
	found := m.settled("disk fail", "account unknown")
	if first := found.First(); !strings.Contains(first.Next, "Make room") {
		t.Errorf("%+v", first)
	}
	m.stop()
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
