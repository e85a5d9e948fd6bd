// Command machostrip takes the names of a program's own functions and variables out of a
// program for macOS, as `strip -x` does on a Mac, and renews the signature of its linker.
//
//	machostrip FILE...
//
// They are a fifteenth of bluerelay. Nothing needs them: Go has tables of its own for
// traces, and what other libraries may look up stays. zig's linker knows no -x, and
// llvm-strip differs from one Debian to the next.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: machostrip FILE...")
		os.Exit(2)
	}
	for _, name := range os.Args[1:] {
		program, err := os.ReadFile(name)
		if err == nil {
			program, err = strip(program)
		}
		if err == nil {
			err = os.WriteFile(name, program, 0o755)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "machostrip: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}
