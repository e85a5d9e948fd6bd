package main

import (
	"strings"

	"rsc.io/qr"
)

// quietZone is how many light modules stand around a code: as many as ISO/IEC 18004 asks
// for, and some readers insist on.
const quietZone = 4

// The colours are set, black on white, so that a terminal that writes light on dark does
// not turn the code into its negative, which many readers cannot read.
const (
	blackOnWhite = "\x1b[38;5;16;48;5;231m"
	usualColours = "\x1b[0m"
)

// drawQR is the text as a code for a terminal, two modules to a character, or "" where it
// is too long for one.
func drawQR(text string) string {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return ""
	}
	// By the upper and the lower module: whether each is black.
	blocks := map[[2]bool]string{{false, false}: " ", {true, false}: "▀", {false, true}: "▄", {true, true}: "█"}
	var b strings.Builder
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		b.WriteString(blackOnWhite)
		for x := -quietZone; x < code.Size+quietZone; x++ {
			b.WriteString(blocks[[2]bool{code.Black(x, y), code.Black(x, y+1)}])
		}
		b.WriteString(usualColours + "\n")
	}
	return b.String()
}
