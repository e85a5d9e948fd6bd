package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bluerelay/cli"
)

// Where nobody watches, there is one line for each ten per cent, however often the
// work reports.
func TestProgressLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := cli.NewProgress(f)
	for i := range 1001 {
		p.Show(float64(i)/1000, fmt.Sprintf("%d of 1000", i))
	}
	p.Show(1.5, "too much")
	p.End()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for i := 1; i <= 10; i++ {
		fmt.Fprintf(&want, "%d %%  %d of 1000\n", 10*i, 100*i)
	}
	if string(data) != want.String() {
		t.Errorf("%s", data)
	}
}
