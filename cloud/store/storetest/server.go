package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a throw-away PostgreSQL server on a socket in a folder of its own. Its end
// is the end of the process that started it, however that comes.
type Server struct {
	dir      string
	programs string
	settings []string
	keeper   *exec.Cmd
	word     io.WriteCloser
}

// password is in every data source name, to be looked for where it must not be; the
// server trusts whoever can reach its socket.
const password = "the-secret-of-the-database"

// patience is how long a server may take to start or to stop.
const patience = 2 * time.Minute

// Start starts a server of the test's own, which may be stopped and started again, with
// settings such as "fsync=off". Without PostgreSQL on this machine the test is skipped,
// but fails with CI=true.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := start(settings...)
	if errors.Is(err, errMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	return s
}

var errMissing = errors.New("PostgreSQL's server is not installed here: apt-get install postgresql, or brew install postgresql")

func start(settings ...string) (*Server, error) {
	programs, err := programs()
	if err != nil {
		return nil, err
	}
	// Not the test's folder: its path may be too long for a socket, and closed to the
	// user that the server runs as.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, programs: programs, settings: settings}
	if who := other(); who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	made := s.command(filepath.Join(programs, "initdb"), "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--pgdata="+dir+"/data")
	if out, err := made.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(dir))
	}
	if err := s.Start(); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// programs is the folder of the newest PostgreSQL on this machine: Debian and Homebrew
// keep it beside the path.
func programs() (string, error) {
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/opt/homebrew/opt/postgresql*/bin/initdb", "/usr/local/opt/postgresql*/bin/initdb"} {
		list, _ := filepath.Glob(pattern) // the patterns are good
		found = append(found, list...)
	}
	if len(found) > 0 {
		slices.Sort(found)
		return filepath.Dir(found[len(found)-1]), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errMissing
}

// other is the user to run the server as where this process is root, whom PostgreSQL
// refuses.
func other() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32) // numbers on every Unix
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return nil
}

func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	// A process group of its own: Ctrl-C is for the tests, which then end it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: other()}
	return cmd
}

// keeper runs the server ($1, with the other arguments) until a word comes or the pipe
// to the tests breaks, be it because they were killed; then nobody needs the folder.
const keeper = `
program=$1; shift
"$program" "$@" </dev/null >>log 2>&1 &
read -r word
[ "$word" != crash ] || kill -QUIT $!
kill -INT $! 2>/dev/null
wait $!
[ -n "$word" ] || rm -rf "$PWD"`

// Start starts a server that was stopped.
func (s *Server) Start() error {
	args := []string{"-c", keeper, "keeper", filepath.Join(s.programs, "postgres"), "-D", s.dir + "/data",
		"-c", "listen_addresses=", "-c", "unix_socket_directories=" + s.dir, "-c", "max_connections=300", "-c", "shared_buffers=64MB"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	s.keeper = s.command("/bin/sh", args...)
	var err error
	if s.word, err = s.keeper.StdinPipe(); err != nil {
		return err
	}
	if err := s.keeper.Start(); err != nil {
		return err
	}
	end := time.Now().Add(patience)
	for {
		if err = s.run("SELECT 1"); err == nil {
			return nil
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(s.dir + "/log")
			return fmt.Errorf("the server did not start: %w: %s", err, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop ends the server and every connection to it, and keeps its data.
func (s *Server) Stop(t testing.TB) { t.Helper(); s.end(t, "stop\n") }

// Crash ends the server as a power cut would that spares the disk.
func (s *Server) Crash(t testing.TB) { t.Helper(); s.end(t, "crash\n") }

func (s *Server) end(t testing.TB, word string) {
	t.Helper()
	if _, err := io.WriteString(s.word, word); err != nil {
		t.Fatal(err)
	}
	_ = s.keeper.Wait() // it ends as the server does
}

// Again starts a server that was stopped.
func (s *Server) Again(t testing.TB) {
	t.Helper()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
}

// remove ends the server and removes all that it has.
func (s *Server) remove() {
	if s.keeper != nil {
		s.word.Close()
		_ = s.keeper.Wait() // it ends as the server does
	}
	os.RemoveAll(s.dir)
}

// DSN names a database of the server.
func (s *Server) DSN(database string) string {
	return "postgres://postgres:" + password + "@/" + database + "?host=" + s.dir
}

// Socket is where the server is reached.
func (s *Server) Socket() string { return s.dir + "/.s.PGSQL.5432" }

// New makes an empty database and names it.
func (s *Server) New(t testing.TB, database string) string {
	t.Helper()
	s.must(t, "CREATE DATABASE "+database)
	return s.DSN(database)
}

func (s *Server) database(dsn string) string {
	return strings.TrimSuffix(strings.TrimPrefix(dsn, strings.TrimSuffix(s.DSN(""), "?host="+s.dir)), "?host="+s.dir)
}

// run runs a statement of an administrator.
func (s *Server) run(query string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, query)
	return errors.Join(err, conn.Close(ctx))
}

func (s *Server) drop(t testing.TB, database string) {
	t.Helper()
	s.must(t, "DROP DATABASE IF EXISTS "+database+" WITH (FORCE)")
}

func (s *Server) must(t testing.TB, query string) {
	t.Helper()
	if err := s.run(query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}
