package launchdtest

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"howett.net/plist"
)

// job is what this launchd understands of a property list.
type job struct {
	Label                string
	ProgramArguments     []string
	EnvironmentVariables map[string]string
	KeepAlive            struct{ SuccessfulExit bool }
	StandardOutPath      string
	StandardErrorPath    string
	WorkingDirectory     string
}

func readPlist(path string) (job, error) {
	var p job
	data, err := os.ReadFile(path)
	if err == nil {
		_, err = plist.Unmarshal(data, &p)
	}
	return p, err
}

// supervise is launchd for one job: it starts the program, and again whenever it ended with
// another status than 0, until SIGTERM.
func supervise(w *world, args []string) int {
	label := args[0]
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
	var path string
	var throttle time.Duration
	sluggish := false
	w.must(func(s *State) { path, throttle, sluggish = s.Jobs[label].Plist, s.Throttle, s.Sluggish })
	p, err := readPlist(path)
	if err != nil {
		return say(1, "%v", err)
	}
	if sluggish && <-signals == syscall.SIGTERM {
		w.must(func(s *State) { delete(s.Jobs, label) })
		return 0
	}
	for {
		again, over := p.once(w, signals)
		for !again && !over {
			// The job rests: only a word from launchctl starts or ends it.
			over = <-signals == syscall.SIGTERM
			again = !over
		}
		if over {
			w.must(func(s *State) { delete(s.Jobs, label) })
			return 0
		}
		select {
		case <-time.After(throttle):
		case s := <-signals:
			if s == syscall.SIGTERM {
				w.must(func(s *State) { delete(s.Jobs, label) })
				return 0
			}
		}
	}
}

// once runs the program to its end. It tells whether it is to be started again, and whether
// the job is over.
func (p job) once(w *world, signals <-chan os.Signal) (again, over bool) {
	cmd := exec.Command(p.ProgramArguments[0], p.ProgramArguments[1:]...)
	cmd.Dir = p.WorkingDirectory
	cmd.Env = []string{"HOME=" + os.Getenv("HOME"), "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "XPC_SERVICE_NAME=" + p.Label}
	for name, value := range p.EnvironmentVariables {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := appendTo(p.StandardOutPath)
	if err == nil {
		defer out.Close()
		cmd.Stdout = out
	}
	errs, err := appendTo(p.StandardErrorPath)
	if err == nil {
		defer errs.Close()
		cmd.Stderr = errs
	}
	ended := make(chan int, 1)
	pinned := ""
	w.must(func(s *State) {
		job := s.Jobs[p.Label]
		job.Runs++
		pinned = job.Signature
	})
	if pinned != requirementOf(p.ProgramArguments[0]) {
		w.must(func(s *State) { s.Jobs[p.Label].Killed = true })
		return true, false
	}
	if err := cmd.Start(); err != nil {
		ended <- 78
	} else {
		w.must(func(s *State) { s.Jobs[p.Label].PID = cmd.Process.Pid })
		go func() {
			_ = cmd.Wait()
			code := cmd.ProcessState.ExitCode()
			if code < 0 {
				code = 9
			}
			ended <- code
		}()
	}
	kicked := false
	for {
		select {
		case code := <-ended:
			w.must(func(s *State) {
				job := s.Jobs[p.Label]
				job.PID, job.LastExit, job.Killed = 0, &code, false
			})
			return kicked || code != 0 && !p.KeepAlive.SuccessfulExit, over
		case s := <-signals:
			over = over || s == syscall.SIGTERM
			kicked = kicked || s == syscall.SIGUSR2
			if s != syscall.SIGUSR1 && cmd.Process != nil {
				_ = cmd.Process.Signal(syscall.SIGTERM)
			}
		}
	}
}

// appendTo opens a file as launchd does: for ever longer, and only in a folder that exists.
func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}
