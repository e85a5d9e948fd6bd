package chatdb

// few is how many entries a table holds in place; an ordinary body needs
// fewer in each.
const few = 24

// table is a list that begins inside its owner, so that a short one costs no
// allocation. An append to a slice through a pointer would move the first
// array to the heap.
type table[T any] struct {
	n     int
	first [few]T
	rest  []T // all entries, once there are more than few
}

func (t *table[T]) len() int { return t.n }

func (t *table[T]) add(v T) {
	if t.n < few {
		t.first[t.n] = v
	} else {
		if t.n == few {
			t.rest = append(make([]T, 0, 4*few), t.first[:]...)
		}
		t.rest = append(t.rest, v)
	}
	t.n++
}

// cut forgets the entries from n on.
func (t *table[T]) cut(n int) {
	if t.n > few && n <= few {
		copy(t.first[:], t.rest[:n])
		t.rest = nil
	} else if t.n > few {
		t.rest = t.rest[:n]
	}
	t.n = n
}

// list is valid until the next add or cut.
func (t *table[T]) list() []T {
	if t.n > few {
		return t.rest
	}
	return t.first[:t.n]
}

// at is valid until the next add or cut.
func (t *table[T]) at(i int32) *T {
	if t.n > few {
		return &t.rest[i]
	}
	return &t.first[:t.n][i]
}
