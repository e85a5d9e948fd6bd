package relay

import (
	"context"
	"database/sql"
	"fmt"

	"bluerelay/wire"
)

// A journal that cannot be written. Whoever tries is told by the error, and the person by
// the health. The cloud gives nothing to a Mac with such a problem, so that nothing may be
// left that would be written: the keeper tries by itself.

const cannotWrite = "The relay's state folder cannot be written: check free space and permissions."

// unwritten notes that the journal could not be written.
func (r *Relay) unwritten(err error) {
	if r.health.set(wire.ProblemDisk, cannotWrite) {
		r.log.Error("journal.trouble", "do", cannotWrite, "error", err.Error())
	}
}

// tryDisk ends the problem of a journal that could not be written, where it can be now.
// Nothing else ends it: on a disk where little things fit and others do not, the Mac would
// be well and in trouble by turns, and somebody would hear of each.
func (k *keeper) tryDisk(ctx context.Context) {
	if k.health.reasonBy(anyone, wire.ProblemDisk) == "" || k.journal.try(ctx) != nil {
		return
	}
	k.health.set(wire.ProblemDisk, "")
	k.log.Info("journal.written")
	ring(k.sendBell)
}

// try writes as much as the largest order and takes it away again.
func (j *journal) try(ctx context.Context) error {
	for _, query := range []string{
		fmt.Sprintf("INSERT INTO meta (key, value) VALUES ('%s', zeroblob(%d)) ON CONFLICT (key) DO UPDATE SET value = excluded.value", metaTrial, wire.MaxFrame),
		fmt.Sprintf("DELETE FROM meta WHERE key = '%s'", metaTrial),
	} {
		err := j.write(ctx, "", func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, query)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
