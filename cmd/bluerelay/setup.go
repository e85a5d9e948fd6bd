package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/launchd"
	"bluerelay/relay"
	"bluerelay/wire"
)

func setupCommand() *cobra.Command {
	var g guide
	cmd := &cobra.Command{
		Use:     "setup [SETUP_URL]",
		Short:   "Walk through everything that this Mac needs, up to a message to yourself",
		PreRunE: notAsRoot,
		Long: "Walk through everything that this Mac needs: pairing, the agent, each permission in its\n" +
			"order, with the place in System Settings opened and the wait until it is done. It ends\n" +
			"with a message to a number of your own, confirmed from Messages' database. Stopped with\n" +
			"Ctrl-C, the same command goes on from there.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := g.pairing.into(&g.cfg); err != nil {
				return err
			}
			g.pairing.Tools = g.cfg.Tools
			if err := g.pairing.read(); err != nil {
				return err
			}
			g.out, g.in, g.person = cmd.OutOrStdout(), bufio.NewReader(os.Stdin), cli.IsTerminal(os.Stdin)
			g.paint, g.agent = paint(os.Stdout), relay.Agent{StateDir: g.cfg.StateDir}
			if len(args) == 1 {
				g.pairing.SetupURL = args[0]
			}
			err := g.run(cmd.Context())
			if cmd.Context().Err() != nil {
				return errors.New("stopped: `bluerelay setup` goes on from here")
			}
			return err
		},
	}
	g.pairing.flags(cmd)
	programsFlag(cmd, &g.cfg.Tools)
	cmd.Flags().StringVar(&g.to, "to", "", "a `NUMBER` or address of your own that gets the test message")
	cmd.Flags().StringVar(&g.pairing.scope, "scope", "", "which messages leave this Mac: all, started or allow:FILE, see `bluerelay pair --help`")
	cmd.Flags().BoolVar(&g.pairing.Insecure, "insecure", false, "allow a plain http server that is not this machine")
	cmd.Flags().StringVar(&g.pairing.ca, "ca", "", "`FILE` with certificates in PEM to trust beside those that this Mac trusts")
	return cmd
}

// guide leads a person through the set-up.
type guide struct {
	out     io.Writer
	in      *bufio.Reader
	person  bool // somebody sits at the terminal
	paint   painter
	cfg     relay.Config
	agent   relay.Agent
	pairing pairFlags
	to      string
}

// poll is how often the agent is asked while a person does something. It is a wait for a
// person, not a step on any message's way.
const poll = time.Second

// errPerson ends a set-up that nobody sits at.
var errPerson = errors.New("somebody has to do this at the Mac: run `bluerelay setup` in a terminal there")

func (g *guide) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{g.meet, g.pair, g.start, g.walk, g.try} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// meet makes sure that the folder is the one in which the installed daemon waits for the
// pairing, or one that has a daemon of its own.
func (g *guide) meet(ctx context.Context) error {
	i, err := installed(g.cfg.Tools)
	if err != nil || i.Agent.StateDir == g.cfg.StateDir {
		return nil // the later steps say what is wrong with what is installed
	}
	if _, err := g.agent.Report(ctx, "agent"); !errors.Is(err, relay.ErrNoAgent) {
		return nil
	}
	return fmt.Errorf("the installed daemon has its state in %s: leave --state away, or run `bluerelay install --state '%s'` first", i.Agent.StateDir, g.cfg.StateDir)
}

// pair swaps a setup URL for a credential, unless that has been done.
func (g *guide) pair(ctx context.Context) error {
	c, err := relay.LoadCredential(g.cfg.StateDir)
	if err == nil {
		fmt.Fprintf(g.out, "This Mac is paired with %s.\n", c.Server)
		return nil
	}
	if !errors.Is(err, relay.ErrNotPaired) {
		return err
	}
	if g.pairing.SetupURL == "" {
		fmt.Fprintln(g.out, "This Mac is not paired yet. `bluecloud line add NUMBER`, or the console, makes a setup URL.")
		if g.pairing.SetupURL, err = g.ask(ctx, "Setup URL: "); err != nil {
			return err
		}
	}
	scope := g.pairing.scope
	if scope == "" && g.person {
		if scope, err = askScope(ctx, g.in, g.out); err != nil {
			return err
		}
	}
	if g.pairing.Scope, g.pairing.Allow, err = readScope(cmp.Or(scope, string(relay.ScopeAll))); err != nil {
		return err
	}
	if c, err = g.pairing.Pair(ctx); err != nil {
		return err
	}
	fmt.Fprintf(g.out, "Paired with %s as the Mac of %s.\nThe account %q will see: %s.\n", c.Server, c.Line, c.Account, describe(c))
	for _, s := range g.pairing.notes {
		fmt.Fprintln(g.out, s)
	}
	return nil
}

// start installs the daemon where it is not, starts it where it does not run, and waits
// until it answers.
func (g *guide) start(ctx context.Context) error {
	answers := func() bool {
		_, err := g.agent.Report(ctx, "agent")
		return err == nil
	}
	_, err := g.agent.Report(ctx, "agent")
	if !errors.Is(err, relay.ErrNoAgent) {
		return err
	}
	if g.cfg.Tools.Dir == "" && runtime.GOOS != "darwin" {
		fmt.Fprintln(g.out, "The agent does not run, and nothing on this machine can install it: start it in another terminal with `bluerelay run`.")
		return g.await(ctx, "the agent", answers)
	}
	if err := g.launch(ctx); err != nil {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, upWithin)
	defer cancel()
	if err := g.wait(soon, "the agent", answers); err != nil {
		return errors.New("the agent was started and does not answer: `bluerelay logs` says why")
	}
	return nil
}

// upWithin is how long the agent may take from its start to its first answer.
const upWithin = 30 * time.Second

// launch installs the daemon, or starts the one that is installed.
func (g *guide) launch(ctx context.Context) error {
	i, err := installed(g.cfg.Tools)
	if err == nil {
		fmt.Fprintln(g.out, "The agent is installed and does not run: it is started now.")
		_, err = i.Start(ctx)
		return err
	}
	if !errors.Is(err, launchd.ErrNotInstalled) {
		return err
	}
	i.Agent.StateDir = g.cfg.StateDir
	i.Agent.Arguments = ownArguments(i.Agent)
	if g.pairing.chatDB != "" {
		i.Agent.Arguments = append(i.Agent.Arguments, "--chat-db", g.cfg.ChatDB)
	}
	if i, err = installation(g.cfg.Tools, i.Agent); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	fmt.Fprintf(g.out, "The agent is installed as %s; it starts by itself at each login.\n", i.Bundle.Path)
	_, _, err = i.Install(ctx, program)
	return err
}

// walk goes from one failing check to the next, the first to be mended first.
func (g *guide) walk(ctx context.Context) error {
	for {
		found, err := g.agent.Report(ctx)
		if err != nil {
			return err
		}
		first := found.First()
		if first == nil {
			printCheckup(g.out, found, g.paint)
			return nil
		}
		if !g.person {
			printCheckup(g.out, found, g.paint)
			return fmt.Errorf("%s. %w", judge(found), errPerson)
		}
		if err := g.mend(ctx, *first); err != nil {
			return err
		}
	}
}

// mend leads to the place where a check is mended and waits until it is.
func (g *guide) mend(ctx context.Context, c wire.Check) error {
	printCheck(g.out, c, len(title(c.Name)), g.paint)
	if c.Settings != "" {
		// The line above has the command, for where it cannot be opened from here.
		_, _ = g.cfg.Tools.Run(ctx, 10*time.Second, nil, "open", c.Settings)
	}
	return g.await(ctx, title(c.Name), func() bool {
		found, err := g.agent.Report(ctx, c.Name) // fails while the agent starts again for a grant
		return err == nil && found.First() == nil
	})
}

// await waits for what a person does.
func (g *guide) await(ctx context.Context, what string, done func() bool) error {
	if !g.person {
		return errPerson
	}
	return g.wait(ctx, what, done)
}

// wait asks again and again until something is done, and shows what is awaited.
func (g *guide) wait(ctx context.Context, what string, done func() bool) error {
	fmt.Fprintf(g.out, "Waiting for %s (Ctrl-C ends) ", what)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			fmt.Fprintln(g.out)
			return ctx.Err()
		case <-tick.C:
			fmt.Fprint(g.out, ".")
		}
	}
	fmt.Fprintln(g.out, " done")
	return nil
}

// ask reads a line from the person.
func (g *guide) ask(ctx context.Context, question string) (string, error) {
	if !g.person {
		return "", errPerson
	}
	return askLine(ctx, g.in, g.out, question)
}

// How long a test message may take to be sent, and from then on to be delivered.
const (
	trialSent      = 2 * time.Minute
	trialDelivered = 20 * time.Second
)

// try sends a message to the person himself and waits for what chat.db says of it.
func (g *guide) try(ctx context.Context) (err error) {
	if g.to == "" && g.person {
		if g.to, err = g.ask(ctx, "A number or address of your own for a test message (empty for none): "); err != nil {
			return err
		}
	}
	if g.to == "" {
		fmt.Fprintln(g.out, "No test message: give a number of your own with --to to see one arrive.")
		return nil
	}
	id, err := relay.Trial(ctx, g.cfg, g.to)
	if err != nil {
		return fmt.Errorf("send the test message: %w", err)
	}
	fmt.Fprintf(g.out, "The test message is %s.\n", id)
	return g.follow(ctx, id)
}

// follow waits until a message is delivered, or has been sent for a while.
func (g *guide) follow(ctx context.Context, id string) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	end := time.After(trialSent)
	var last wire.Kind
	for {
		p, err := g.agent.Message(ctx, id)
		if err == nil && p.Kind != last {
			last = p.Kind
			fmt.Fprintf(g.out, "  %s\n", last)
			if last == wire.Sent {
				end = time.After(trialDelivered)
			}
		}
		switch {
		case last == wire.Delivered || last == wire.Read:
			fmt.Fprintln(g.out, "Messages' database says that it was delivered: this Mac sends.")
			return nil
		case err == nil && (last == wire.Failed || last == wire.Unknown || last == wire.NoSend && !p.Again):
			return fmt.Errorf("the test message did not go out: %s", p.Reason)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-end:
			if last == wire.Sent {
				fmt.Fprintln(g.out, "Messages' database says that it was sent: this Mac sends. There is no receipt yet; by SMS there is none.")
				return nil
			}
			return errors.New("the test message has not gone out yet: look at `bluerelay doctor`; it will go as soon as it can")
		}
	}
}
