package fault_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bluerelay/fault"
)

// constants are the points that points.go declares: names and values.
func constants(t *testing.T) (names []string, points []fault.Point) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "points.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type == nil {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Point" {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		names, points = append(names, spec.Names[0].Name), append(points, fault.Point(value))
		return true
	})
	return names, points
}

// Every point is in the list, in the order of the file, under a name of its own.
func TestAll(t *testing.T) {
	_, points := constants(t)
	if !slices.Equal(points, fault.All()) {
		t.Errorf("declared are %v, listed are %v", points, fault.All())
	}
	seen := make(map[fault.Point]bool)
	for _, p := range points {
		if seen[p] {
			t.Errorf("%s is declared twice", p)
		}
		seen[p] = true
	}
	if n := len(fault.Places("cloud.", "relay.", "shim.")); n < 30 || n != len(fault.Places("")) {
		t.Errorf("%d places belong to a program, %d in all", n, len(fault.Places("")))
	}
}

// Every point stands somewhere in the product; what is only declared is never met.
func TestEveryPointIsUsed(t *testing.T) {
	used := make(map[string]bool)
	for _, dir := range []string{"applescript", "cloud", "relay", "cmd"} {
		err := filepath.WalkDir(filepath.Join("..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "fault" {
						used[sel.Sel.Name] = true
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	names, _ := constants(t)
	for _, name := range names {
		if !used[name] {
			t.Errorf("fault.%s is used nowhere", name)
		}
	}
}

// In an ordinary build the functions are empty and inlined: they cost nothing.
func TestCostsNothing(t *testing.T) {
	if fault.Built {
		t.Skip("this is a build with the tag")
	}
	out, err := exec.Command("go", "build", "-gcflags=-m=2", "bluerelay/fault").CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
	for _, name := range []string{"Before", "After", "Hit", "About", "Tune"} {
		if !strings.Contains(string(out), "can inline "+name+" with cost 0") {
			t.Errorf("%s is not empty any more", name)
		}
	}
}
