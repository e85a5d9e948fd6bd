// Command lipo joins programs for macOS, one for each kind of processor, into one file that
// runs on all of them, as Apple's program of that name does.
//
//	lipo OUT FILE...
//
// Equal input gives equal output. llvm-lipo would do the same; its name and version differ
// from one Debian to the next, and all that has to be done is a table and a copy.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: lipo OUT FILE...")
		os.Exit(2)
	}
	joined, err := join(os.Args[2:])
	if err == nil {
		err = os.WriteFile(os.Args[1], joined, 0o755)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "lipo: %v\n", err)
		os.Exit(1)
	}
}
