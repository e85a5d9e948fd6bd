package chatdb

import "context"

// NewDeafWatcher watches without file events.
var NewDeafWatcher = newDeafWatcher

// Look is one look of a Watcher.
func Look(ctx context.Context, w *Watcher) error {
	_, err := w.look(ctx)
	return err
}
