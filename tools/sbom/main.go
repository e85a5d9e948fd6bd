// Command sbom prints what a program of a release is made of, as CycloneDX 1.6 in JSON.
//
//	sbom NAME VERSION FILE SQLITE-HEADER
//
// The modules are those that the go command recorded in FILE, the ones of go version -m;
// SQLITE-HEADER is the sqlite3-binding.h of go-sqlite3, for the version of the SQLite in it.
// Equal input gives equal output: there is no time and no random number in it, and no licence,
// which nothing here knows for sure. The usual generators bring more modules than the product
// has, for a list that the Go toolchain has written already.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: sbom NAME VERSION FILE SQLITE-HEADER")
		os.Exit(2)
	}
	bill, err := list(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	if err == nil {
		out := json.NewEncoder(os.Stdout)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		err = out.Encode(bill)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "sbom: %v\n", err)
		os.Exit(1)
	}
}
