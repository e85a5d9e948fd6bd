package store

import "context"

// Orphan is a fact about a message that is not here.
type Orphan struct {
	RelayID   string
	InstallID string
	Seq       int64
	MessageID string
	Kind      string
	Report    string // JSON
	CreatedAt int64  // Unix ms
}

// maxOrphans is how many an install may leave: more than a journal repeats.
const maxOrphans = 20_000

// AddOrphan keeps a fact. One that is kept already, or one too many of its install, is
// let go.
func (tx *Tx) AddOrphan(o Orphan) error {
	var n int
	err := tx.stmts.row(tx.ctx, "SELECT COUNT(*) FROM orphan_reports WHERE install_id = $1", o.InstallID).Scan(&n)
	if err != nil || n >= maxOrphans {
		return err
	}
	_, err = tx.stmts.exec(tx.ctx, `INSERT INTO orphan_reports (relay_id, install_id, seq, message_id, kind, report, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (install_id, seq) DO NOTHING`, o.RelayID, o.InstallID, o.Seq, o.MessageID, o.Kind, o.Report, o.CreatedAt)
	return err
}

// HasOrphans tells whether anything is kept since before a time.
func (r reader) HasOrphans(ctx context.Context, before int64) (bool, error) {
	var n int
	err := r.stmts.row(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM orphan_reports WHERE created_at < $1 LIMIT 1) AS old", before).Scan(&n)
	return n > 0, err
}

// SweepOrphans forgets what was kept before a time.
func (tx *Tx) SweepOrphans(before int64) error {
	_, err := tx.stmts.exec(tx.ctx, "DELETE FROM orphan_reports WHERE created_at < $1", before)
	return err
}

// Orphans returns the facts that a relay left about messages that are not here,
// oldest first.
func (r reader) Orphans(ctx context.Context, relayID string) ([]Orphan, error) {
	scan := func(s scanner) (o Orphan, err error) {
		err = s.Scan(&o.RelayID, &o.InstallID, &o.Seq, &o.MessageID, &o.Kind, &o.Report, &o.CreatedAt)
		return o, err
	}
	return collect(ctx, r, scan, "SELECT relay_id, install_id, seq, message_id, kind, report, created_at FROM orphan_reports WHERE relay_id = $1 ORDER BY created_at, install_id, seq", relayID)
}
