package cloud

import (
	"slices"
	"sync"

	"bluerelay/cloud/store"
)

// maxNewborn is how many new messages wait for one reader; of more the oldest are told to
// nobody.
const maxNewborn = 1000

// newborn tells readers of events, while they listen, of messages that begin here. That
// is not in the log: a send would have to write an event more.
type newborn struct {
	mu      sync.Mutex
	readers map[string][]*cradle // by account
}

// cradle holds the new messages that one reader has not taken yet.
type cradle struct{ list []store.Message }

// listen returns what takes the account's new messages from now on, until stop is called.
func (n *newborn) listen(accountID string) (take func() []store.Message, stop func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	own := new(cradle)
	n.readers[accountID] = append(n.readers[accountID], own)
	take = func() []store.Message {
		n.mu.Lock()
		defer n.mu.Unlock()
		list := own.list
		own.list = nil
		return list
	}
	return take, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.readers[accountID] = slices.DeleteFunc(n.readers[accountID], func(c *cradle) bool { return c == own })
		if len(n.readers[accountID]) == 0 {
			delete(n.readers, accountID)
		}
	}
}

// add gives a message to the account's readers and tells whether there is any.
func (n *newborn) add(m store.Message) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.readers[m.AccountID] {
		c.list = append(c.list, m)
		c.list = c.list[max(0, len(c.list)-maxNewborn):]
	}
	return len(n.readers[m.AccountID]) > 0
}

// begin stores a message that begins here, and returns it with its group. Readers hear of
// it once it is on disk, and before anything that becomes of it.
func (s *Service) begin(tx *store.Tx, m store.Message) (store.Message, error) {
	if err := tx.CreateMessage(&m); err != nil {
		return m, err
	}
	m, err := withGroup(tx, m)
	tx.OnCommit(func() {
		if s.newborn.add(m) {
			s.feeds.wake(m.AccountID)
		}
	})
	return m, err
}
