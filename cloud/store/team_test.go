package store_test

import (
	"context"
	"errors"
	"testing"

	"bluerelay/cloud/store"
)

func TestMembersComeBackAsWritten(t *testing.T) {
	s, _ := open(t)
	first := store.Member{ID: "usr_1", AccountID: accountID, Login: "a@example.com", Name: "name", Role: "owner", PasswordHash: "hash", CreatedAt: 1}
	second := store.Member{ID: "usr_2", AccountID: accountID, Login: "b@example.com", Role: "viewer", CreatedAt: 2}
	write(t, s, func(tx *store.Tx) error { return errors.Join(tx.CreateMember(second), tx.CreateMember(first)) })
	same(t, []store.Member{first, second})(s.Members(t.Context(), accountID))
	same(t, []store.Member(nil))(s.Members(t.Context(), "team_other"))
	second.Role = "admin"
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.SetRole(accountID, second.ID, second.Role), tx.DeleteMember(accountID, first.ID))
	})
	same(t, []store.Member{second})(s.Members(t.Context(), accountID))
	for name, fn := range map[string]func(tx *store.Tx) error{
		"another account's role":   func(tx *store.Tx) error { return tx.SetRole("team_other", second.ID, "viewer") },
		"another account's member": func(tx *store.Tx) error { return tx.DeleteMember("team_other", second.ID) },
		"a member that is gone":    func(tx *store.Tx) error { return tx.DeleteMember(accountID, first.ID) },
	} {
		if err := s.Write(t.Context(), fn); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInvitationsComeBackAsWritten(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	v := store.Invitation{ID: "inv_1", AccountID: accountID, Email: "a@example.com", Role: "member", TokenHash: "hash", CreatedAt: 1, ExpiresAt: 10}
	write(t, s, func(tx *store.Tx) error { return tx.CreateInvitation(v) })
	same(t, []store.Invitation{v})(s.Invitations(ctx, accountID, 9))
	same(t, v)(s.InvitationByHash(ctx, "hash", 9))
	same(t, []store.Invitation(nil))(s.Invitations(ctx, accountID, 10))
	for name, err := range map[string]error{
		"too late": second(s.InvitationByHash(ctx, "hash", 10)), "another hash": second(s.InvitationByHash(ctx, "other", 9)),
		"another account":     s.Write(ctx, func(tx *store.Tx) error { return tx.DeleteInvitation("team_other", v.ID, 9) }),
		"taken back too late": s.Write(ctx, func(tx *store.Tx) error { return tx.DeleteInvitation(accountID, v.ID, 10) }),
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	again := v
	again.ID, again.TokenHash, again.CreatedAt, again.ExpiresAt = "inv_2", "hash2", 9, 20
	if err := s.Write(ctx, func(tx *store.Tx) error { return tx.CreateInvitation(again) }); !errors.Is(err, store.ErrExists) {
		t.Errorf("an address is invited twice: %v", err)
	}
	again.CreatedAt = 10 // the first one is over
	write(t, s, func(tx *store.Tx) error { return tx.CreateInvitation(again) })
	same(t, []store.Invitation{again})(s.Invitations(context.Background(), accountID, 0))
	write(t, s, func(tx *store.Tx) error { return tx.DeleteInvitation(accountID, again.ID, 19) })
	same(t, []store.Invitation(nil))(s.Invitations(ctx, accountID, 0))
}

func second[T any](_ T, err error) error { return err }
