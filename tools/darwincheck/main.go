// Command darwincheck tells whether programs built for macOS on another system
// are what they must be, by reading the files; it cannot run them.
//
//	darwincheck [-version 1.2.3] ARCH FILE...
//
// ARCH is arm64, amd64, or universal for both in one file; a file's name says which of our
// programs it is. The trap it exists for: a plain cross build has cgo switched off,
// go-sqlite3 then compiles as a stub, and the program fails at its first query on the user's
// Mac. It exits 1 and names every fault.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// wanted is what is peculiar to a program, by its name. Only bluerelay is started by launchd
// and asked for by macOS, so only it needs an Info.plist.
var wanted = map[string]want{
	"bluerelay": {identifier: "com.bluerelay.agent", most: 20_000_000},
}

func main() {
	version := flag.String("version", "", "`version` that the Info.plist must have")
	flag.Parse()
	if flag.NArg() < 2 {
		fmt.Fprintln(os.Stderr, "usage: darwincheck [-version 1.2.3] ARCH FILE...")
		os.Exit(2)
	}
	failed := false
	for _, name := range flag.Args()[1:] {
		want := wanted[filepath.Base(name)]
		want.arch, want.version = flag.Arg(0), *version
		summary, err := check(name, want)
		if err != nil {
			fmt.Fprintf(os.Stderr, "darwincheck: %s:\n%v\n", name, err)
			failed = true
			continue
		}
		fmt.Printf("%s: %s\n", name, summary)
	}
	if failed {
		os.Exit(1)
	}
}
