package cli

import (
	"fmt"
	"os"
	"strings"
)

// Progress shows how far long work has come: on a terminal a bar that is drawn over
// itself, elsewhere a line every ten per cent. It is not for concurrent use.
type Progress struct {
	to    *os.File
	bar   bool
	drawn bool
	tens  int // of the last line
}

// NewProgress shows nothing yet.
func NewProgress(to *os.File) *Progress { return &Progress{to: to, bar: IsTerminal(to)} }

const barWidth = 30

// Show draws the share that is done, 0 to 1, with a few words beside it.
func (p *Progress) Show(share float64, words string) {
	share = min(max(share, 0), 1)
	if p.bar {
		full := int(share * barWidth)
		// Erasing to the end of the line takes away what longer words have left.
		fmt.Fprintf(p.to, "\r[%s%s] %3.0f %%  %s\x1b[K", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*share, words)
		p.drawn = true
		return
	}
	if tens := int(10 * share); tens > p.tens {
		p.tens = tens
		fmt.Fprintf(p.to, "%d %%  %s\n", 10*tens, words)
	}
}

// End leaves the bar as it is and goes to the next line.
func (p *Progress) End() {
	if p.drawn {
		fmt.Fprintln(p.to)
		p.drawn = false
	}
}
