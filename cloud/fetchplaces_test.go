package cloud

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"bluerelay/cloud/store"
)

// A host that does nothing but time out has one place until it answers, whatever it says.
func TestDeadHostHasOnePlace(t *testing.T) {
	f := newLone(t).fetch
	places := func() (n int) {
		for i := range 2 * fetchesToHost {
			one := store.Fetch{MediaID: fmt.Sprint(i), AccountID: fmt.Sprint(i), Host: "h"}
			if f.take(one) {
				n++
				defer f.give(one)
			}
		}
		return n
	}
	for _, c := range []struct {
		tried error
		want  int
	}{
		{context.DeadlineExceeded, 2}, {context.DeadlineExceeded, 2}, {context.DeadlineExceeded, 1}, {context.DeadlineExceeded, 1}, {nil, 2},
		{context.DeadlineExceeded, 2}, {context.DeadlineExceeded, 2}, {errors.New("503"), 2}, {context.DeadlineExceeded, 2}, {context.DeadlineExceeded, 2}, {context.DeadlineExceeded, 1},
	} {
		f.tried("h", c.tried)
		if got := places(); got != c.want {
			t.Errorf("%d places after %v, want %d", got, c.tried, c.want)
		}
	}
}
