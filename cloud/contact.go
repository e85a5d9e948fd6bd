package cloud

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"bluerelay/cloud/store"
)

// contactPrefix is what ids of contacts begin with.
const contactPrefix = "con_"

// The limits of what an account may note of a contact.
const (
	maxNote      = 1000 // characters of a name, a variable or its key
	maxTags      = 100
	maxTag       = 100 // characters
	maxVariables = 100
)

// MaxContacts is how many contacts one request may make or remove.
const MaxContacts = 1000

// ContactNotes is what to note of a contact; nil members stay as they are.
type ContactNotes struct {
	FirstName  *string
	LastName   *string
	Company    *string
	AssignedTo *string
	LineNumber *string
	Tags       []string
	Variables  map[string]string // joined with those that are there
	OptedOut   *bool
}

// NewContact is a contact that is to be made.
type NewContact struct {
	Address string
	Notes   ContactNotes
}

// NewContacts are contacts that are to be made, all or none of them.
type NewContacts struct {
	List   []NewContact
	Update bool // one that is there already is changed; without it that is an error
	// Once makes a request that comes again get the first one's answer, which Answer renders
	// inside the transaction; nil for one that takes effect each time.
	Once   *Once
	Answer func(made []store.Contact, created int) (status int, body []byte, err error)
}

// CreateContacts makes contacts. created is how many are new. A request that was made
// before gets *Replay.
func (s *Service) CreateContacts(ctx context.Context, p Principal, n NewContacts) (made []store.Contact, created int, err error) {
	list := n.List
	for i := range list {
		if list[i].Address, err = contactAddress(list[i].Address); err != nil {
			return nil, 0, err
		}
		if err := list[i].Notes.check(); err != nil {
			return nil, 0, err
		}
	}
	now := time.Now()
	made = make([]store.Contact, len(list))
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		if err := s.replay(tx.Context(), tx, p, n.Once); err != nil {
			return err
		}
		created = 0
		for i, one := range list {
			fresh, err := s.createContact(tx, p.Account.ID, one, n.Update, now)
			if err != nil {
				return err
			}
			if fresh {
				created++
			}
			if made[i], err = tx.Contact(tx.Context(), p.Account.ID, one.Address); err != nil {
				return err
			}
		}
		return n.Once.keep(tx, p, now, func() (int, []byte, error) { return n.Answer(made, created) })
	})
	s.dispatch.ring()
	if err != nil {
		s.seenAgain(ctx, p, n.Once, err)
		return nil, 0, fmt.Errorf("make contacts: %w", err)
	}
	return made, created, nil
}

func (s *Service) createContact(tx *store.Tx, accountID string, one NewContact, update bool, now time.Time) (fresh bool, err error) {
	c := store.Contact{ID: newID(contactPrefix), AccountID: accountID, Address: one.Address, CreatedAt: now.UnixMilli()}
	one.Notes.apply(&c)
	if err := checkVariables(c); err != nil {
		return false, err
	}
	err = tx.CreateContact(c)
	if !errors.Is(err, store.ErrExists) {
		if err == nil {
			err = s.consent(tx, c, one.Notes.OptedOut, now)
		}
		return err == nil, err
	}
	if !update {
		return false, &Error{Code: Conflict, Message: "Contact already exists", Param: "number"}
	}
	c, err = tx.Contact(tx.Context(), accountID, one.Address)
	if err != nil {
		return false, err
	}
	return false, s.changeContact(tx, c, one.Notes, now)
}

// Contact returns the contact of the account that has an address.
func (s *Service) Contact(ctx context.Context, p Principal, address string) (store.Contact, error) {
	return s.store.Contact(ctx, p.Account.ID, lowerAddress(address))
}

// UpdateContact changes what is noted of a contact.
func (s *Service) UpdateContact(ctx context.Context, p Principal, address string, n ContactNotes) (c store.Contact, err error) {
	if err := n.check(); err != nil {
		return c, err
	}
	now := time.Now()
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		if c, err = tx.Contact(tx.Context(), p.Account.ID, lowerAddress(address)); err != nil {
			return err
		}
		if err := s.changeContact(tx, c, n, now); err != nil {
			return err
		}
		c, err = tx.Contact(tx.Context(), p.Account.ID, c.Address)
		return err
	})
	return c, err
}

func (s *Service) changeContact(tx *store.Tx, c store.Contact, n ContactNotes, now time.Time) error {
	n.apply(&c)
	if err := checkVariables(c); err != nil {
		return err
	}
	c.UpdatedAt = now.UnixMilli()
	if err := tx.UpdateContact(c); err != nil {
		return err
	}
	return s.consent(tx, c, n.OptedOut, now)
}

// SetOptOut notes by hand whether an address wants messages. Where it wants none, a
// contact is made if there is none, and what waits for it is ended.
func (s *Service) SetOptOut(ctx context.Context, p Principal, address string, out bool) (string, error) {
	address, err := contactAddress(address)
	if err != nil {
		return "", err
	}
	return address, s.store.Write(ctx, func(tx *store.Tx) error {
		return s.consent(tx, store.Contact{AccountID: p.Account.ID, Address: address}, &out, time.Now())
	})
}

// consent writes down what somebody has said by hand of a contact, nil for nothing.
func (s *Service) consent(tx *store.Tx, c store.Contact, out *bool, now time.Time) error {
	if out == nil {
		return nil
	}
	said := store.Consent{ContactID: newID(contactPrefix), AccountID: c.AccountID, Address: c.Address, At: now.UnixMilli()}
	if !*out {
		_, err := tx.OptIn(said)
		return err
	}
	if err := tx.OptOut(said); err != nil {
		return err
	}
	return s.withhold(tx, c.AccountID, c.Address, withheldNow, now)
}

// DeleteContacts removes the contacts with some addresses or ids and says how many there
// were. That a person has opted out is not forgotten.
func (s *Service) DeleteContacts(ctx context.Context, p Principal, which []string) (n int, err error) {
	now := time.Now().UnixMilli()
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		n = 0
		for _, one := range which {
			c, err := contactNamed(tx.Context(), tx, p.Account.ID, one)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err == nil {
				err = tx.RemoveContact(c, now)
			}
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// contactNamed returns the contact that has an address or an id, or ErrNotFound. An e-mail
// address may begin as ids do.
func contactNamed(ctx context.Context, r contactReader, accountID, which string) (store.Contact, error) {
	if strings.HasPrefix(which, contactPrefix) && !strings.Contains(which, "@") {
		return r.ContactByID(ctx, accountID, which)
	}
	return r.Contact(ctx, accountID, lowerAddress(which))
}

// contactReader is the store, or a transaction of it.
type contactReader interface {
	Contact(ctx context.Context, accountID, address string) (store.Contact, error)
	ContactByID(ctx context.Context, accountID, id string) (store.Contact, error)
}

// Contacts returns a part of the account's contacts.
func (s *Service) Contacts(ctx context.Context, p Principal, f store.ContactFilter) ([]store.Contact, error) {
	f.AccountID, f.Address = p.Account.ID, lowerAddress(f.Address)
	return s.store.Contacts(ctx, f)
}

// CountContacts counts the account's contacts.
func (s *Service) CountContacts(ctx context.Context, p Principal) (int64, error) {
	return s.store.CountContacts(ctx, p.Account.ID)
}

// contactAddress checks the address of a contact: a number or an e-mail address.
func contactAddress(address string) (string, error) {
	if address == "" {
		return "", Invalid("number", "Missing fields")
	}
	address = lowerAddress(address)
	if !reachable(address) {
		return "", Invalid("number", "Invalid phone number")
	}
	return address, nil
}

func (n ContactNotes) check() error {
	for _, field := range []struct {
		name  string
		value *string
	}{{"first_name", n.FirstName}, {"last_name", n.LastName}, {"company_name", n.Company}, {"assigned_to_email", n.AssignedTo}, {"sendblue_number", n.LineNumber}} {
		if field.value != nil && !plainNote(*field.value, maxNote) {
			return Invalid(field.name, "The '%s' field must be plain text of at most %d characters.", field.name, maxNote)
		}
	}
	if len(n.Tags) > maxTags {
		return Invalid("tags", "The 'tags' field must not have more than %d tags.", maxTags)
	}
	for _, tag := range n.Tags {
		if tag == "" || !plainNote(tag, maxTag) {
			return Invalid("tags", "The 'tags' field must hold plain texts of 1 to %d characters.", maxTag)
		}
	}
	for key, value := range n.Variables {
		if key == "" || !plainNote(key, maxNote) || !plainNote(value, maxNote) {
			return Invalid("custom_variables", "The 'custom_variables' field must hold plain texts of at most %d characters.", maxNote)
		}
	}
	return nil
}

// plainNote tells whether a text can be stored by every database.
func plainNote(s string, most int) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, 0) && utf8.RuneCountInString(s) <= most
}

// checkVariables bounds what many changes have put together.
func checkVariables(c store.Contact) error {
	if len(c.Variables) > maxVariables {
		return Invalid("custom_variables", "A contact must not have more than %d custom variables.", maxVariables)
	}
	return nil
}

func (n ContactNotes) apply(c *store.Contact) {
	for _, field := range []struct {
		from *string
		into *string
	}{{n.FirstName, &c.FirstName}, {n.LastName, &c.LastName}, {n.Company, &c.Company}, {n.AssignedTo, &c.AssignedTo}, {n.LineNumber, &c.LineNumber}} {
		if field.from != nil {
			*field.into = *field.from
		}
	}
	if n.Tags != nil {
		c.Tags = n.Tags
	}
	if len(n.Variables) > 0 {
		merged := maps.Clone(n.Variables)
		for key, value := range c.Variables {
			if _, ok := merged[key]; !ok {
				merged[key] = value
			}
		}
		c.Variables = merged
	}
}
