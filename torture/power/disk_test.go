package power_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// node is a file or a folder, whatever its name is now.
type node struct {
	dir bool

	synced []byte // what is on disk for sure
	loose  []change
	now    []byte

	names      map[string]*node // what is on disk for sure
	looseNames []renaming
	namesNow   map[string]*node
}

// change is a write, or where data is nil a cut to size, that no sync has reached.
type change struct {
	ended  int
	offset int64
	data   []byte
	size   int64
}

// renaming sets or deletes names of a folder, all of them or none.
type renaming struct {
	ended int
	set   map[string]*node
	del   []string
}

// disk replays a record on what was there before, all of which had been synced.
type disk struct {
	root string // everything outside of it is not looked at
	top  *node
}

func newDisk(root string) *disk { return &disk{root: root, top: newDir()} }

func newDir() *node {
	return &node{dir: true, names: make(map[string]*node), namesNow: make(map[string]*node)}
}

// transient files are mapped and rebuilt by whoever opens the database first.
func transient(path string) bool { return strings.HasSuffix(path, "-shm") }

// errUnrecordable says that a program has used a way to write that is not recorded.
type errUnrecordable struct{ path string }

func (e errUnrecordable) Error() string {
	return "a way of writing that the record does not hold: " + e.path
}

// replay does a call. Calls come in the order in which they ended.
func (d *disk) replay(c call) error {
	if c.verb == says || c.verb == runs || c.offset == strange && !strings.Contains(c.path, d.root) {
		return nil
	}
	if c.offset == strange {
		return errUnrecordable{c.path}
	}
	dir, name := d.find(c.path)
	if dir == nil || transient(c.path) {
		return nil
	}
	if c.offset == mapped {
		return errUnrecordable{c.path}
	}
	at := dir.namesNow[name]
	if name == "" {
		at = dir
	}
	switch c.verb {
	case makes, empties:
		if at == nil {
			at = &node{}
			dir.rename(renaming{ended: c.ended, set: map[string]*node{name: at}})
		}
		if c.verb == empties {
			at.change(change{ended: c.ended, size: c.size})
		}
	case makesDir:
		dir.rename(renaming{ended: c.ended, set: map[string]*node{name: newDir()}})
	case removes:
		dir.rename(renaming{ended: c.ended, del: []string{name}})
	case moves:
		other, to := d.find(c.to)
		if other != dir || at == nil {
			return fmt.Errorf("moved between folders, or from nowhere: %s", c.path)
		}
		dir.rename(renaming{ended: c.ended, set: map[string]*node{to: at}, del: []string{name}})
	default:
		if at == nil {
			return fmt.Errorf("written to before it was made: %s", c.path)
		}
		if c.verb == syncs {
			at.sync(c.begun)
			break
		}
		offset := c.offset
		if offset == atEnd {
			offset = int64(len(at.now))
		}
		at.change(change{ended: c.ended, offset: offset, data: c.data})
	}
	return nil
}

// find returns the folder of a path and the name in it; nil where it is not ours, and
// "" for the top itself.
func (d *disk) find(path string) (*node, string) {
	rel, err := filepath.Rel(d.root, path)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, ""
	}
	if rel == "." {
		return d.top, ""
	}
	at := d.top
	parts := strings.Split(rel, "/")
	for _, part := range parts[:len(parts)-1] {
		if at = at.namesNow[part]; at == nil {
			return nil, ""
		}
	}
	return at, parts[len(parts)-1]
}

func (n *node) rename(r renaming) {
	n.looseNames = append(n.looseNames, r)
	r.apply(n.namesNow)
}

func (r renaming) apply(names map[string]*node) {
	for _, name := range r.del {
		delete(names, name)
	}
	maps.Copy(names, r.set)
}

func (n *node) change(c change) {
	n.loose = append(n.loose, c)
	n.now = c.apply(n.now)
}

// apply returns content with the change made; the slice is the caller's.
func (c change) apply(content []byte) []byte {
	if c.data == nil {
		return resize(content, c.size)
	}
	content = resize(content, max(int64(len(content)), c.offset+int64(len(c.data))))
	copy(content[c.offset:], c.data)
	return content
}

func resize(content []byte, size int64) []byte {
	if int64(len(content)) >= size {
		return content[:size:size]
	}
	return append(content, make([]byte, size-int64(len(content)))...)
}

// sync puts on disk what had ended before the sync began.
func (n *node) sync(begun int) {
	late := slices.IndexFunc(n.loose, func(c change) bool { return c.ended > begun })
	if late < 0 {
		late = len(n.loose)
	}
	for _, c := range n.loose[:late] {
		n.synced = c.apply(n.synced)
	}
	n.loose = slices.Delete(n.loose, 0, late)
	late = slices.IndexFunc(n.looseNames, func(r renaming) bool { return r.ended > begun })
	if late < 0 {
		late = len(n.looseNames)
	}
	for _, r := range n.looseNames[:late] {
		r.apply(n.names)
	}
	n.looseNames = slices.Delete(n.looseNames, 0, late)
}

// chance is how the disk treats what was not synced: the probability with which a change
// is there all the same, and whether it may be there in part.
type chance struct {
	rng  *rand.Rand
	keep float64
	torn bool
}

func newChance(rng *rand.Rand) chance {
	keep := []float64{0, 1, rng.Float64(), rng.Float64()}[rng.IntN(4)]
	return chance{rng, keep, rng.IntN(2) == 0}
}

func (c chance) yes() bool { return c.rng.Float64() < c.keep }

// image writes into a folder what the disk could hold after a power cut.
func (n *node) image(dir string, c chance) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	names := maps.Clone(n.names)
	for _, r := range n.looseNames {
		if c.yes() {
			r.apply(names)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		path := filepath.Join(dir, name)
		at := names[name]
		if at.dir {
			if err := at.image(path, c); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(path, at.content(c), 0o600); err != nil {
			return err
		}
		if strings.HasSuffix(name, ".db") && c.rng.IntN(4) == 0 {
			if err := os.WriteFile(path+"-shm", junk(c.rng), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// junk is an index of a log as a power cut may leave it.
func junk(rng *rand.Rand) []byte {
	data := make([]byte, 32<<10)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data
}

// content is what a file could hold: what was synced, and of each sector any number of
// the changes that came after, in their order.
func (n *node) content(c chance) []byte {
	content := bytes.Clone(n.synced)
	size := int64(len(content))
	for _, ch := range n.loose {
		if !c.yes() {
			continue
		}
		if ch.data == nil {
			content = resize(content, ch.size)
			size = ch.size
			continue
		}
		for from := ch.offset; from < ch.offset+int64(len(ch.data)); {
			to := min((from/sector+1)*sector, ch.offset+int64(len(ch.data)))
			if !c.torn || c.rng.IntN(2) == 0 {
				content = change{offset: from, data: ch.data[from-ch.offset : to-ch.offset]}.apply(content)
			}
			from = to
		}
		size = max(size, ch.offset+int64(len(ch.data)))
	}
	// The size is written down apart from the bytes.
	if c.rng.IntN(2) == 0 {
		content = resize(content, max(size, int64(len(content))))
	}
	return content
}
