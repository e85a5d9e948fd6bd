package cloud

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bluerelay/cloud/store"
)

// The roles of members. Somebody is always an owner.
const (
	RoleOwner  = "owner"
	RoleAdmin  = "admin"
	RoleMember = "member"
	RoleViewer = "viewer"
)

// invited are the roles that an invitation may give: nobody begins as an owner.
var invited = []string{RoleAdmin, RoleMember, RoleViewer}

// maxName is the length of the name of a team or a person in characters.
const maxName = 100

// RenameTeam gives the account another name and returns it as it is then.
func (s *Service) RenameTeam(ctx context.Context, p Principal, name string) (store.Account, error) {
	name, err := checkName(name)
	if err != nil {
		return store.Account{}, err
	}
	var a store.Account
	err = s.store.Write(ctx, func(tx *store.Tx) (err error) {
		if a, err = tx.Account(tx.Context(), p.Account.ID); err != nil {
			return err
		}
		a.Name = name
		return tx.UpdateAccount(a)
	})
	return a, err
}

// checkName takes white space off a name's ends and refuses one that is empty, too long
// or not for showing.
func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", Invalid("name", "The 'name' field is required.")
	case utf8.RuneCountInString(name) > maxName:
		return "", Invalid("name", "The 'name' field must not exceed %d characters.", maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", Invalid("name", "The 'name' field must not contain control characters.")
	}
	return name, nil
}

// Members returns the people of the account, oldest first.
func (s *Service) Members(ctx context.Context, p Principal) ([]store.Member, error) {
	return s.store.Members(ctx, p.Account.ID)
}

// SetRole changes what a person may do and returns him as he is then.
func (s *Service) SetRole(ctx context.Context, p Principal, id, role string) (store.Member, error) {
	if role != RoleOwner && !slices.Contains(invited, role) {
		return store.Member{}, Invalid("role", "The 'role' field must be one of owner, %s.", strings.Join(invited, ", "))
	}
	var m store.Member
	err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
		if m, err = memberWithout(tx, p.Account.ID, id, role == RoleOwner); err != nil {
			return err
		}
		m.Role = role
		return tx.SetRole(p.Account.ID, id, role)
	})
	return m, err
}

// RemoveMember takes a person out of the account.
func (s *Service) RemoveMember(ctx context.Context, p Principal, id string) error {
	return s.store.Write(ctx, func(tx *store.Tx) error {
		if _, err := memberWithout(tx, p.Account.ID, id, false); err != nil {
			return err
		}
		return tx.DeleteMember(p.Account.ID, id)
	})
}

// memberWithout finds a person of an account and, unless he stays an owner, makes sure
// that there is another one.
func memberWithout(tx *store.Tx, accountID, id string, stays bool) (store.Member, error) {
	people, err := tx.Members(tx.Context(), accountID)
	if err != nil {
		return store.Member{}, err
	}
	i := slices.IndexFunc(people, func(m store.Member) bool { return m.ID == id })
	if i < 0 {
		return store.Member{}, store.ErrNotFound
	}
	other := slices.ContainsFunc(people, func(m store.Member) bool { return m.Role == RoleOwner && m.ID != id })
	if people[i].Role == RoleOwner && !stays && !other {
		return store.Member{}, &Error{Code: Conflict, Message: "A team needs an owner: make somebody else one first."}
	}
	return people[i], nil
}

// Invite makes an invitation for an e-mail address and returns it with the address of
// the page that takes it, shown this once: no mail is sent from here.
func (s *Service) Invite(ctx context.Context, p Principal, email, role string) (v store.Invitation, url string, err error) {
	if p.Test() {
		return v, "", &Error{Code: Forbidden, Message: "A test key has no team to invite to; use a live key"}
	}
	email = lowerAddress(strings.TrimSpace(email))
	if !validAddress(email) {
		return v, "", Invalid("email", "The 'email' field must be a valid e-mail address.")
	}
	if !slices.Contains(invited, role) {
		return v, "", Invalid("role", "The 'role' field must be one of %s.", strings.Join(invited, ", "))
	}
	now := time.Now()
	token := "join_" + randomText(32)
	v = store.Invitation{
		ID: newID("inv_"), AccountID: p.Account.ID, Email: email, Role: role, TokenHash: hashSecret(token),
		CreatedAt: now.UnixMilli(), ExpiresAt: now.Add(s.cfg.InvitationLife).UnixMilli(),
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		if err := notYetMember(tx, v); err != nil {
			return err
		}
		if err := roomForMember(tx, p.Account, "", now); err != nil {
			return err
		}
		return tx.CreateInvitation(v)
	})
	if errors.Is(err, store.ErrExists) {
		err = &Error{Code: Conflict, Param: "email", Message: "This address has been invited already."}
	}
	return v, s.cfg.PublicURL + "/invite?token=" + token, err
}

// notYetMember refuses an invitation of somebody who belongs to the account.
func notYetMember(tx *store.Tx, v store.Invitation) error {
	people, err := tx.Members(tx.Context(), v.AccountID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(people, func(m store.Member) bool { return strings.EqualFold(m.Login, v.Email) }) {
		return &Error{Code: Conflict, Param: "email", Message: "Somebody with this address is a member already."}
	}
	return nil
}

// Invitations returns the account's open invitations, oldest first.
func (s *Service) Invitations(ctx context.Context, p Principal) ([]store.Invitation, error) {
	return s.store.Invitations(ctx, p.Account.ID, time.Now().UnixMilli())
}

// CancelInvitation takes an open invitation of the account back.
func (s *Service) CancelInvitation(ctx context.Context, p Principal, id string) error {
	return s.store.Write(ctx, func(tx *store.Tx) error {
		return tx.DeleteInvitation(p.Account.ID, id, time.Now().UnixMilli())
	})
}
