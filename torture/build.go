package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programs are the two programs under test, built with the tag fault.
type programs struct {
	bluecloud, bluerelay string
}

// build makes both programs of a module. change, if there is one, replaces text in
// one source file, for this build only.
func build(ctx context.Context, source, dir string, change *rule) (programs, error) {
	p := programs{filepath.Join(dir, "bluecloud"), filepath.Join(dir, "bluerelay")}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return p, err
	}
	args := []string{"build", "-tags", "fault", "-buildvcs=false", "-o", dir + "/"}
	if change != nil {
		overlay, err := change.overlay(source, dir)
		if err != nil {
			return p, err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/bluecloud", "./cmd/bluerelay")...)
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return p, fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return p, nil
}

// places asks both programs where they can be made to die.
func (p programs) places(ctx context.Context) ([]string, error) {
	var all []string
	for _, program := range []string{p.bluecloud, p.bluerelay} {
		out, err := run(ctx, nil, program, "faults")
		if err != nil {
			return nil, err
		}
		all = append(all, strings.Fields(out)...)
	}
	return all, nil
}

// run runs a command to its end and returns what it printed.
func run(ctx context.Context, env []string, program string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(program), args[0], err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// rule is a rule of the product and how to break it.
type rule struct {
	name    string
	breaks  string   // what the product does then
	shows   []string // the violations that are its own
	changes []edit
	load    shape // what it takes to notice
}

// edit replaces a text, which must stand in the file exactly once.
type edit struct{ file, old, new string }

// errMoved says that a broken rule no longer fits the source.
var errMoved = errors.New("the text is not there exactly once any more")

// overlay writes changed copies of the files into dir, and what tells the go command
// to use them.
func (r *rule) overlay(source, dir string) (string, error) {
	files, err := r.apply(source)
	if err != nil {
		return "", err
	}
	replace := make(map[string]string)
	for name, text := range files {
		path, err := filepath.Abs(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		copied := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(copied, text, 0o600); err != nil {
			return "", err
		}
		replace[path] = copied
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, data, 0o600)
}

// apply returns the changed files.
func (r *rule) apply(source string) (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, e := range r.changes {
		text, ok := files[e.file]
		if !ok {
			var err error
			if text, err = os.ReadFile(filepath.Join(source, e.file)); err != nil {
				return nil, fmt.Errorf("break %s: %w", r.name, err)
			}
		}
		if bytes.Count(text, []byte(e.old)) != 1 {
			return nil, fmt.Errorf("break %s: %s: %w: %q", r.name, e.file, errMoved, e.old)
		}
		files[e.file] = bytes.Replace(text, []byte(e.old), []byte(e.new), 1)
	}
	return files, nil
}
