package launchd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/kardianos/service"
)

// Run runs a daemon in this process until run returns, and returns run's error as it is. The
// name is the service's name for the service manager, such as the agent's label.
//
// The context of run is cancelled by the first SIGTERM (launchd, systemd) or SIGINT (Ctrl-C),
// with the signal as its cause, or when ctx is; Run then waits for run for as long as it
// takes, so that it can finish what is in hand. launchd ends the wait with SIGKILL after the
// agent's ExitTimeOut. A further SIGTERM changes nothing, because timeout(1) and others send
// it twice; a further SIGINT ends the process at once, unless the caller handles it too.
//
// When run returns by itself, Run returns. Under launchd a nil error, leading to exit status
// 0, means that the daemon shall rest; any other status means that it is started again.
// Call Run once in a process, from main.
func Run(ctx context.Context, name string, run func(context.Context) error) error {
	stopping, releaseTerm := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer releaseTerm()
	stopping, releaseInterrupt := signal.NotifyContext(stopping, os.Interrupt)
	defer releaseInterrupt()

	var result error
	finished := make(chan struct{})
	daemon := program{
		start: func() {
			go func() {
				defer close(finished)
				result = run(stopping)
			}()
		},
		stop: func() { <-finished },
	}
	// kardianos/service waits for signals itself unless it is told what to wait for. Its own
	// wait knows neither ctx nor a run that ends by itself.
	wait := func() {
		select {
		case <-stopping.Done():
			releaseInterrupt()
		case <-finished:
		}
	}
	loop, err := service.New(daemon, &service.Config{
		Name:   name,
		Option: service.KeyValue{"RunWait": wait},
	})
	if err != nil {
		return fmt.Errorf("prepare service %s: %w", name, err)
	}
	if err := loop.Run(); err != nil {
		return fmt.Errorf("run service %s: %w", name, err)
	}
	return result
}

// program is what kardianos/service calls: Start at once, Stop when the wait is over. Both
// functions cannot fail, so an error of the loop is its own.
type program struct{ start, stop func() }

func (p program) Start(service.Service) error {
	p.start()
	return nil
}

func (p program) Stop(service.Service) error {
	p.stop()
	return nil
}
