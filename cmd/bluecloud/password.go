package main

import (
	"net/url"
	"os"
	"strings"
	"syscall"

	"bluerelay/cli"
	"bluerelay/cloud/store"
)

// hidePassword takes a database's password off the command line, which every user of
// the machine can read: it starts this program anew, as the same process, with the
// address in the environment, which only its owner can read. It returns where there is
// nothing to hide.
func hidePassword(database string) error {
	if !store.OnServer(database) {
		return nil
	}
	if u, err := url.Parse(database); err == nil {
		if _, has := u.User.Password(); !has && !strings.Contains(u.RawQuery, "password") {
			return nil
		}
	}
	args := make([]string, 0, len(os.Args))
	for i, arg := range os.Args {
		switch {
		case arg == "--database="+database, arg == "--database" && i+1 < len(os.Args) && os.Args[i+1] == database:
		case arg == database && i > 0 && os.Args[i-1] == "--database":
		default:
			args = append(args, arg)
		}
	}
	if len(args) == len(os.Args) {
		return nil // it came by the environment
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Setenv(cli.Twin("BLUECLOUD", "database"), database); err != nil {
		return err
	}
	return syscall.Exec(exe, args, os.Environ())
}
