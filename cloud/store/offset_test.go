package store

import (
	"context"
	"reflect"
	"slices"
	"testing"
)

// A page behind an offset is what a walk over the whole list finds there: where a day ends,
// before it and after it, and behind the end of the list.
func TestPagesBehindAnOffset(t *testing.T) {
	s, gen, all := lived(t)
	for range 150 {
		f := gen.filter(all)
		if gen.IntN(2) == 0 {
			f.Order = ByCreated
		}
		whole := walk(all, f)
		for _, offset := range gen.offsets(whole) {
			f.Offset = offset
			want := whole[min(offset, len(whole)):]
			want = want[:min(f.Limit, len(want))]
			for how, read := range map[string]func(context.Context, MessageFilter) ([]Message, error){"one by one": s.Messages, "by days": s.behindDays} {
				if got, err := read(t.Context(), f); err != nil || !reflect.DeepEqual(ids(got), ids(want)) {
					t.Fatalf("%s: %+v\ngot  %v, %v\nwant %v", how, f, ids(got), err, ids(want))
				}
			}
		}
	}
}

// behindDays returns a page as where much is to be passed over.
func (r reader) behindDays(ctx context.Context, f MessageFilter) ([]Message, error) {
	l, err := r.listing(ctx, f)
	if err != nil || len(l.branches) == 0 {
		return nil, err
	}
	if f, err = r.skipDays(ctx, l); err != nil {
		return nil, err
	}
	return r.read(ctx, l, f)
}

// Of a list in the order of days nothing is passed over but what is of the page's own day.
func TestDaysAreSkipped(t *testing.T) {
	ctx := t.Context()
	s, _, all := lived(t)
	for name, f := range map[string]MessageFilter{
		"everything":   {Asides: true},
		"some classes": {Direction: Outbound, Line: benchLines[0]},
		"some days":    {Created: Span{benchStart + 2*dayLength, benchStart + 9*dayLength - 1}, Type: TypeMessage},
	} {
		f.AccountID, f.Limit = benchAccount, 10
		for _, f.Ascending = range []bool{false, true} {
			whole := walk(all, f)
			for i := 0; i < len(whole); i += 7 {
				f.Offset = i
				l, err := s.listing(ctx, f)
				if err != nil {
					t.Fatal(err)
				}
				narrowed, err := s.skipDays(ctx, l)
				if err != nil {
					t.Fatal(err)
				}
				day := slices.IndexFunc(whole, func(m Message) bool { return dayOf(m.CreatedAt) == dayOf(whole[i].CreatedAt) })
				if narrowed.Offset != i-day {
					t.Errorf("%s, ascending %t: of %d messages %d are passed over, %d are of that day", name, f.Ascending, i, narrowed.Offset, i-day)
				}
			}
		}
	}
}

// walk is all of a list.
func walk(all []Message, f MessageFilter) []Message {
	f.Offset, f.Limit = 0, len(all)
	whole, _ := naive(all, f)
	return whole
}

// offsets are some of a list: about the ends of its days, its own, and others.
func (g *generator) offsets(list []Message) []int {
	of := []int{g.IntN(len(list) + 1), len(list), len(list) + 1}
	for i := 1; i < len(list); i++ {
		if dayOf(list[i].CreatedAt) != dayOf(list[i-1].CreatedAt) {
			of = append(of, i-1, i, i+1)
		}
	}
	g.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	return of[:min(len(of), 6)]
}
