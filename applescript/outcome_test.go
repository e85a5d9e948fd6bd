package applescript_test

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"bluerelay/applescript"
)

var reasons = []applescript.Reason{
	applescript.Denied, applescript.Prompt, applescript.NotRunning, applescript.NoTarget, applescript.NoService, applescript.NoAccount, applescript.TimedOut,
	applescript.NoFile, applescript.NotMember, applescript.Environment, applescript.CannotStart, applescript.Interrupted,
	applescript.BadRequest, applescript.OtherError, applescript.DiskTrouble,
}

// TestReasons: each reason has a sentence of its own, and those that a repetition
// cannot mend say so.
func TestReasons(t *testing.T) {
	t.Parallel()
	final := map[applescript.Reason]bool{
		applescript.NoService: true, applescript.NoFile: true, applescript.NotMember: true, applescript.BadRequest: true,
	}
	known := map[string]applescript.Reason{applescript.Outcome{Effect: applescript.Accepted}.Sentence(): ""}
	for _, r := range reasons {
		o := applescript.Outcome{Effect: applescript.NoEffect, Reason: r, Number: -10000}
		sentence := o.Sentence()
		if !strings.HasSuffix(sentence, ".") {
			t.Errorf("%s: %q is no sentence", r, sentence)
		}
		if other, taken := known[sentence]; taken {
			t.Errorf("%s and %s share a sentence", r, other)
		}
		known[sentence] = r
		if o.Again() == final[r] {
			t.Errorf("%s: Again is %t", r, o.Again())
		}
	}
}

// FuzzListen: whatever stands around the marker, and in whatever pieces it
// arrives, an end without success is never without effect.
func FuzzListen(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add([]byte("malloc: noise"), []byte("\n0:1: execution error: x (-1728)\n"))
	f.Add([]byte("bluerelay:disp"), []byte("atch"))
	f.Add(bytes.Repeat([]byte("x"), 4090), []byte("\r\n"))
	f.Add(bytes.Repeat([]byte("\n"), 9000), []byte("\x00\xff"))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		data := append(append(bytes.Clone(before), applescript.Dispatch...), after...)
		for _, r := range []io.Reader{bytes.NewReader(data), iotest.HalfReader(bytes.NewReader(data)), iotest.DataErrReader(bytes.NewReader(data))} {
			o, err := applescript.Judge(1, false, r)
			if err != nil || o.Effect != applescript.MayHave {
				t.Fatalf("got %+v, %v", o, err)
			}
		}
		bare := bytes.ReplaceAll(append(bytes.Clone(before), after...), []byte(":"), []byte(";"))
		if o, err := applescript.Judge(1, false, bytes.NewReader(bare)); err != nil || o.Effect != applescript.NoEffect {
			t.Fatalf("without a marker: %+v, %v", o, err)
		}
	})
}

// FuzzClassify holds every end against the rules that no number can change.
func FuzzClassify(f *testing.F) {
	f.Add(0, false, []byte(""))
	f.Add(0, true, []byte("bluerelay:dispatch\n"))
	f.Add(1, false, []byte("bluerelay:dispatch\n1:2: execution error: AppleEvent timed out. (-1712)\n"))
	f.Add(-1, true, []byte("Can’t get chat id \"x\". (-1728)"))
	f.Add(1, false, []byte("not a member of! (1)"))
	f.Add(1, false, []byte("(-999999999)(--1)(-)()"))
	f.Fuzz(func(t *testing.T, code int, deadline bool, stderr []byte) {
		o, err := applescript.Judge(code, deadline, bytes.NewReader(stderr))
		if err != nil {
			t.Fatal(err)
		}
		switch marked := bytes.Contains(stderr, []byte(applescript.Dispatch)); {
		case code == 0:
			if o != (applescript.Outcome{Effect: applescript.Accepted}) {
				t.Fatalf("success came out as %+v", o)
			}
			return
		case marked && o.Effect != applescript.MayHave, !marked && o.Effect != applescript.NoEffect:
			t.Fatalf("marker %t, got %+v", marked, o)
		case o.Reason == "":
			t.Fatalf("a failure without a reason: %+v", o)
		case deadline && marked && o.Reason != applescript.TimedOut, deadline && !marked && o.Reason != applescript.Prompt:
			t.Fatalf("our own deadline came out as %+v", o)
		}
		if s := o.Sentence(); s == "" || len(s) > 200 {
			t.Fatalf("sentence %q", s)
		}
	})
}

func TestListenReportsABrokenFile(t *testing.T) {
	t.Parallel()
	if _, err := applescript.Judge(1, false, iotest.ErrReader(io.ErrUnexpectedEOF)); err == nil {
		t.Error("a read error was passed over")
	}
}

// endless is a reader without an end.
type endless string

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e)
	}
	return n, nil
}

// TestListenIsBounded: noise costs neither memory nor an end, and a marker that
// nobody got to counts as seen.
func TestListenIsBounded(t *testing.T) {
	for name, noise := range map[string]string{"one line": "noise without an end ", "many lines": "noise\n"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		o, err := applescript.Judge(1, false, endless(noise))
		runtime.ReadMemStats(&after)
		if err != nil || o.Effect != applescript.MayHave {
			t.Errorf("%s: got %+v, %v", name, o, err)
		}
		const bound = 4 * applescript.MaxSpeech
		if used := after.TotalAlloc - before.TotalAlloc; used > bound {
			t.Errorf("%s: %d bytes were allocated", name, used)
		}
	}
	late := io.MultiReader(io.LimitReader(endless("noise\n"), applescript.MaxSpeech), strings.NewReader(applescript.Dispatch+"\n"))
	if o, err := applescript.Judge(1, false, late); err != nil || o.Effect != applescript.MayHave {
		t.Errorf("a marker beyond the bound: %+v, %v", o, err)
	}
}
