package main

import (
	"strings"
	"testing"

	"rsc.io/qr"
)

// What stands on the terminal is the code, module by module, with four light ones on each
// side, and each line brings its colours and takes them away.
func TestDrawQR(t *testing.T) {
	const url = "https://messages.example.com/setup?token=dev_0123456789abcdefghijklmnopqrstuv"
	code, err := qr.Encode(url, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	var modules [][]bool
	for line := range strings.Lines(drawQR(url)) {
		line, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), blackOnWhite)
		line, ok2 := strings.CutSuffix(line, usualColours)
		if !ok || !ok2 {
			t.Fatalf("a line without its colours: %q", line)
		}
		var upper, lower []bool
		for _, r := range line {
			if !strings.ContainsRune(" ▀▄█", r) {
				t.Fatalf("%q in %q", r, line)
			}
			upper, lower = append(upper, r == '▀' || r == '█'), append(lower, r == '▄' || r == '█')
		}
		modules = append(modules, upper, lower)
	}
	whole := code.Size + 2*quietZone
	if len(modules) != whole+whole%2 || whole > 80 {
		t.Fatalf("%d lines of modules, want %d", len(modules), whole)
	}
	for y, row := range modules {
		if len(row) != whole {
			t.Fatalf("line %d has %d modules, want %d", y, len(row), whole)
		}
		for x, black := range row {
			if black != code.Black(x-quietZone, y-quietZone) {
				t.Fatalf("module %d,%d is black: %t", x, y, black)
			}
		}
	}
	// The corner that every reader looks for first.
	const finder = "#######/#.....#/#.###.#/#.###.#/#.###.#/#.....#/#######"
	var corner []string
	for y := range 7 {
		var b strings.Builder
		for x := range 7 {
			b.WriteByte(".#"[map[bool]int{true: 1}[modules[quietZone+y][quietZone+x]]])
		}
		corner = append(corner, b.String())
	}
	if got := strings.Join(corner, "/"); got != finder {
		t.Errorf("the corner is %s", got)
	}
	if drawQR(strings.Repeat("x", 5000)) != "" {
		t.Error("what is too long was drawn")
	}
}
