// Command darwincheck tells whether programs built for macOS on another system
// are what they must be, by reading the files; it cannot run them.
//
//	darwincheck ARCH FILE...
//
// ARCH is arm64 or amd64. The trap it exists for: a plain cross build has cgo
// switched off, go-sqlite3 then compiles as a stub, and the program fails at
// its first query on the user's Mac. It exits 1 and names every fault.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: darwincheck ARCH FILE...")
		os.Exit(2)
	}
	failed := false
	for _, name := range os.Args[2:] {
		summary, err := check(name, os.Args[1])
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
