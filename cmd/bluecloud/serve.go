package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// serveFlags are what `serve` and `up` have in common.
type serveFlags struct {
	data   string
	listen string
	allow  []string
	level  string
	token  string
}

func (f *serveFlags) register(cmd *cobra.Command, level string) {
	cmd.Flags().StringVar(&f.data, "data", "", "folder of the data (default: the platform's data folder)")
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8787", "address to listen on")
	cmd.Flags().StringSliceVar(&f.allow, "webhook-allow", nil, "private `CIDR`, or one of this machine's own network, that webhooks may reach, also by http, and files be fetched from; may be repeated")
	cmd.Flags().StringVar(&f.token, "metrics-token", "", "what opens /metrics, better given as BLUECLOUD_METRICS_TOKEN (default: this machine alone may read it, and nobody with a --public-url)")
	cmd.Flags().StringVar(&f.level, "log-level", level, "debug, info, warn or error")
}

func (f *serveFlags) prefixes() ([]netip.Prefix, error) {
	list, err := cloud.ParsePrefixes(f.allow)
	if err != nil {
		return nil, cli.Usage("--webhook-allow: %w", err)
	}
	return list, nil
}

// dataDir is the absolute path of the data folder, made for its owner only.
func dataDir(flag string) (string, error) {
	dir, err := dataPath(flag)
	if err != nil {
		return "", err
	}
	if err := store.MakeDir(dir); err != nil {
		return "", fmt.Errorf("make the data folder: %w", err)
	}
	return dir, nil
}

// dataPath is where the data folder is, or would be.
func dataPath(flag string) (string, error) {
	dir := flag
	if dir == "" {
		var err error
		if dir, err = cli.DataDir("bluecloud"); err != nil {
			return "", err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the data folder: %w", err)
	}
	return dir, nil
}

// databaseIn is the database of a data folder.
func databaseIn(dir string) string { return filepath.Join(dir, "bluecloud.db") }

const databaseUsage = "path, sqlite://PATH or postgres://… (default: bluecloud.db in --data)"

// places are the database that flags name, and the folder for all that is not in it:
// the folder of the database, or the data folder where the database is on a server.
func places(data, database string) (dsn, dir string, err error) {
	if database != "" && !store.OnServer(database) {
		path := strings.TrimPrefix(database, "sqlite://")
		return database, filepath.Dir(path), nil
	}
	if database != "" {
		dir, err = dataPath(data)
		return database, dir, err
	}
	dir, err = dataDir(data)
	return databaseIn(dir), dir, err
}

// mediaIn is the folder for files of messages.
func mediaIn(dir string) string { return filepath.Join(dir, "media") }

func serveCommand() *cobra.Command {
	var f serveFlags
	var database, publicURL string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server alone; Macs connect to it with `bluerelay`",
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := cli.Logger(os.Stderr, f.level)
			if err != nil {
				return err
			}
			if err := hidePassword(database); err != nil {
				return err
			}
			cfg := serverConfig{listen: f.listen, metricsToken: f.token, log: log}
			if cfg.allow, err = f.prefixes(); err != nil {
				return err
			}
			if cfg.publicURL, err = checkPublicURL(publicURL); err != nil {
				return err
			}
			if cfg.database, cfg.data, err = places(f.data, database); err != nil {
				return err
			}
			s, err := newServer(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "bluecloud %s serves %s on %s\ndatabase %s\nready\n", version, s.url, s.listener.Addr(), s.store.Name())
			return s.run(cmd.Context())
		},
	}
	f.register(cmd, "info")
	cmd.Flags().StringVar(&database, "database", "", databaseUsage)
	cmd.Flags().StringVar(&publicURL, "public-url", "", "https://… by which Macs and people reach this server (default: the address it listens on)")
	return cmd
}

func checkPublicURL(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" {
		return "", cli.Usage("--public-url must be an address such as https://messages.example.com, not %q", s)
	}
	return strings.TrimSuffix(s, "/"), nil
}
