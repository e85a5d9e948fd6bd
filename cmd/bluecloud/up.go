package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/relay"
)

// simulatedLine is the number of a simulated Mac where none is given: the seed
// page's, so that its examples work as they stand.
const simulatedLine = "+14155559876"

// stopTimeout bounds how long the simulated Messages may take to end.
const stopTimeout = 10 * time.Second

func upCommand() *cobra.Command {
	var f serveFlags
	var simulate bool
	var line string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the whole product in one process: the server and this Mac's relay",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !simulate && runtime.GOOS != "darwin" {
				return errors.New("this machine is no Mac and has no Messages: add --simulate to use a simulated one, or run `bluecloud serve` here and `bluerelay` on the Mac")
			}
			log, err := cli.Logger(os.Stderr, f.level)
			if err != nil {
				return err
			}
			allow, err := f.prefixes()
			if err != nil {
				return err
			}
			u := up{simulate: simulate, line: line, out: cmd.OutOrStdout(), log: log}
			if u.dir, err = dataDir(f.data); err != nil {
				return err
			}
			// Whoever tries things out has his receiver on this machine.
			allow = append(allow, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
			return u.run(cmd.Context(), serverConfig{database: databaseIn(u.dir), data: u.dir, listen: f.listen, metricsToken: f.token, allow: allow, simulated: simulate, log: log})
		},
	}
	f.register(cmd, "warn")
	cmd.Flags().BoolVar(&simulate, "simulate", false, "use a simulated Messages: nothing leaves this machine")
	cmd.Flags().StringVar(&line, "line", "", "number that Messages sends from (default with --simulate: "+simulatedLine+")")
	return cmd
}

// up is one run of the whole product.
type up struct {
	dir      string
	simulate bool
	line     string
	out      io.Writer
	log      *slog.Logger
}

// mac is where Messages is reached: the real one, or the simulated.
type mac struct{ chatDB, osascript, attachments string }

// run starts server, Messages and relay in this order and stops them in the
// opposite one: the relay can still report while it stops.
func (u up) run(ctx context.Context, cfg serverConfig) error {
	lock, err := u.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	s, err := newServer(ctx, cfg)
	if err != nil {
		return err
	}
	outer, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var serving sync.WaitGroup
	var serveErr error
	serving.Go(func() { serveErr = s.run(outer); cancel() })
	err = u.relayed(inner, s)
	stop()
	serving.Wait()
	return errors.Join(err, serveErr)
}

// lock makes sure that one data folder has one process.
func (u up) lock() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(u.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another bluecloud is running with the data folder %s: stop it, or choose another with --data", u.dir)
	}
	return f, nil
}

// relayed runs Messages and the relay beside the server until ctx ends.
func (u up) relayed(ctx context.Context, s *server) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	c, line, err := u.account(ctx, s)
	if err != nil {
		return err
	}
	m, stop, err := u.messages(ctx, exe, line.PhoneNumber)
	if err != nil {
		return err
	}
	defer stop()
	state := filepath.Join(u.dir, "relay")
	if err := u.pair(ctx, s, line, state, m); err != nil {
		return err
	}
	r, err := relay.Open(ctx, relay.Config{
		StateDir: state, Server: s.url, ChatDB: m.chatDB, Osascript: m.osascript, Attachments: m.attachments, Exe: exe, Version: version, Log: u.log.With("part", "relay"),
		KeepAwake: !u.simulate, Notify: !u.simulate,
	})
	if err != nil {
		return err
	}
	u.greet(*c)
	return r.Run(ctx)
}

// messages is the real Messages of this Mac, or a simulated one and how to end it.
func (u up) messages(ctx context.Context, exe, number string) (m mac, stop func(), err error) {
	if !u.simulate {
		home, err := os.UserHomeDir()
		if err != nil {
			return m, nil, fmt.Errorf("find the home folder: %w", err)
		}
		messages := filepath.Join(home, "Library/Messages")
		return mac{chatDB: filepath.Join(messages, "chat.db"), osascript: "/usr/bin/osascript", attachments: filepath.Join(messages, "Attachments")}, func() {}, nil
	}
	return startSimulated(ctx, exe, simulatedIn(u.dir), number, u.log)
}

// account makes account, keys and line at the first start, and finds them again
// later. Where only the file with the keys is lost, it makes new ones.
func (u up) account(ctx context.Context, s *server) (*credentials, store.Line, error) {
	c, err := loadCredentials(u.dir)
	if err != nil {
		return nil, store.Line{}, err
	}
	accounts, err := s.store.Accounts(ctx)
	if err != nil {
		return nil, store.Line{}, err
	}
	var id string
	switch {
	case len(accounts) == 0:
		made, err := s.cloud.CreateAccount(ctx, "Home", "")
		if err != nil {
			return nil, store.Line{}, err
		}
		id = made.AccountID
		c = &credentials{TextingBlue: made.TextingBlue, Sendblue: made.Sendblue, Console: consoleAccess{ConsoleUser: made.Console}}
	case c == nil:
		id = accounts[0].ID
		if c, err = u.newKeys(ctx, s.cloud, id); err != nil {
			return nil, store.Line{}, err
		}
	default:
		id = accounts[0].ID
	}
	line, err := u.ownLine(ctx, s, id)
	if err != nil {
		return nil, store.Line{}, err
	}
	c.BaseURL, c.Console.URL, c.Lines = s.url, s.url+"/", []string{line.PhoneNumber}
	return c, line, c.save(u.dir)
}

func (u up) newKeys(ctx context.Context, service *cloud.Service, id string) (*credentials, error) {
	all := []string{string(cloud.Everything)}
	_, key, err := service.CreateKey(ctx, id, store.TextingBlue, all)
	if err != nil {
		return nil, err
	}
	pair, secret, err := service.CreateKey(ctx, id, store.Sendblue, all)
	if err != nil {
		return nil, err
	}
	return &credentials{TextingBlue: cloud.APIKey{APIKey: key}, Sendblue: cloud.KeyPair{APIKeyID: pair.Shown, APISecretKey: secret}}, nil
}

// ownLine is the line named by --line, else the one there is, else the simulated
// one.
func (u up) ownLine(ctx context.Context, s *server, accountID string) (store.Line, error) {
	lines, err := s.store.Lines(ctx, accountID)
	if err != nil {
		return store.Line{}, err
	}
	for _, l := range lines {
		if u.line == "" || l.PhoneNumber == u.line {
			return l, nil
		}
	}
	number := u.line
	if number == "" {
		if !u.simulate {
			return store.Line{}, cli.Usage("the first start needs --line +…, the number that Messages on this Mac sends from")
		}
		number = simulatedLine
	}
	return s.cloud.AddLine(ctx, accountID, number, cloud.LineChange{}, true)
}

// pair makes this process's relay the line's, unless it is already.
func (u up) pair(ctx context.Context, s *server, line store.Line, state string, m mac) error {
	if old, err := relay.LoadCredential(state); err == nil && old.RelayID == line.RelayID {
		return nil
	}
	url, err := s.cloud.StartPairing(ctx, line, true)
	if err != nil {
		return err
	}
	_, err = relay.Pairing{SetupURL: url, StateDir: state, ChatDB: m.chatDB, Insecure: true, Version: version}.Pair(ctx)
	return err
}

// greet says all that a newcomer needs for the first message.
func (u up) greet(c credentials) {
	if u.simulate {
		fmt.Fprintf(u.out, "Simulated: Messages is a simulated one, nothing leaves this machine.\n\n")
	}
	fmt.Fprintf(u.out, "console  %s\nkey      %s\nline     %s\ndata     %s\n\nSend a message:\n\n", c.Console.URL, c.TextingBlue.APIKey, c.Lines[0], u.dir)
	fmt.Fprintf(u.out, `curl -X POST %s/v1/messages/send -H "Content-Type: application/json" -H "x-api-key: %s" -d '{"to": "+14155551234", "from": "%s", "content": "Hello from bluerelay!"}'`,
		c.BaseURL, c.TextingBlue.APIKey, c.Lines[0])
	fmt.Fprint(u.out, "\n\nready\n")
}
