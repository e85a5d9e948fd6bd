package sendblue

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// maxContacts is how many contacts a page may hold, and maxOffset how many may be skipped.
const (
	maxContacts = 1000
	maxOffset   = 10000
)

func (a *API) contactRoutes() {
	a.handle("GET /api/v2/contacts", cloud.MessagesRead, a.listContacts)
	a.handleOnce("POST /api/v2/contacts", cloud.MessagesSend, a.createContact)
	a.handle("DELETE /api/v2/contacts", cloud.MessagesSend, a.deleteContacts)
	a.handle("GET /api/v2/contacts/count", cloud.MessagesRead, a.countContacts)
	a.handle("POST /api/v2/contacts/bulk", cloud.MessagesSend, a.createContacts)
	a.handle("POST /api/v2/contacts/opt-out", cloud.MessagesSend, a.optOut)
	a.handle("POST /api/v2/contacts/verify", cloud.MessagesSend, a.verifyContact)
	a.handle("GET /api/v2/contacts/{phone}", cloud.MessagesRead, a.getContact)
	a.handle("PUT /api/v2/contacts/{phone}", cloud.MessagesSend, a.updateContact)
	a.handle("DELETE /api/v2/contacts/{phone}", cloud.MessagesSend, a.deleteContact)
}

// contact is a contact as the SDK types it, all keys always there.
type contact struct {
	ID             string            `json:"contact_id"`
	Phone          string            `json:"phone"`
	FirstName      string            `json:"first_name"`
	LastName       string            `json:"last_name"`
	CompanyName    string            `json:"company_name"`
	AssignedTo     string            `json:"assigned_to_email"`
	SendblueNumber string            `json:"sendblue_number"`
	Tags           []string          `json:"tags"`
	Variables      map[string]string `json:"custom_variables"`
	OptOut         bool              `json:"opt_out"`
	Verified       bool              `json:"verified"` // the person has written to one of the account's numbers
	CreatedAt      string            `json:"created_at"`
	// OptOutAt is when it was last said whether the person wants messages.
	OptOutAt string `json:"opt_out_updated_at,omitempty"`
	// OptOutMessage is the handle of the message that said it; none where it was said by hand.
	OptOutMessage string `json:"opt_out_message_handle,omitempty"`
}

func renderContact(c store.Contact) contact {
	return contact{
		ID: c.ID, Phone: c.Address, FirstName: c.FirstName, LastName: c.LastName, CompanyName: c.Company, AssignedTo: c.AssignedTo,
		SendblueNumber: c.LineNumber, Tags: c.Tags, Variables: c.Variables, OptOut: c.OptedOut, Verified: c.HasWritten, CreatedAt: stamp(c.CreatedAt),
		OptOutAt: stamp(c.ConsentAt), OptOutMessage: cloud.Handle(c.ConsentBy),
	}
}

func renderContacts(list []store.Contact) []contact {
	out := make([]contact, len(list))
	for i, c := range list {
		out[i] = renderContact(c)
	}
	return out
}

// oneContact is the answer about one contact.
type oneContact struct {
	Status  string  `json:"status"`
	Contact contact `json:"contact"`
}

func (a *API) createContact(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	one, err := newContact(f)
	if err != nil {
		return reply{}, err
	}
	update, err := f.flag("update_if_exists", false)
	if err != nil {
		return reply{}, err
	}
	made, created, err := a.cloud.CreateContacts(ctx, c.who, cloud.NewContacts{
		List: []cloud.NewContact{one}, Update: update, Once: c.once,
		Answer: func(made []store.Contact, created int) (int, []byte, error) {
			return madeContact(made, created).encode()
		},
	})
	if err != nil {
		return reply{}, err
	}
	return madeContact(made, created), nil
}

// madeContact is the answer to a contact that was made, or was there and is changed.
func madeContact(made []store.Contact, created int) reply {
	status := http.StatusOK
	if created > 0 {
		status = http.StatusCreated
	}
	return reply{status, oneContact{statusOK, renderContact(made[0])}}
}

// newContact reads a contact in the present or the deprecated spelling of its fields.
func newContact(f fields) (one cloud.NewContact, err error) {
	for _, name := range []string{"number", "phone", "phone_number", "phoneNumber"} {
		if one.Address == "" {
			if one.Address, err = f.number(name); err != nil {
				return one, err
			}
		}
	}
	one.Notes, err = contactNotes(f)
	return one, err
}

func contactNotes(f fields) (n cloud.ContactNotes, err error) {
	for _, field := range []struct {
		name, old string
		into      **string
	}{
		{"first_name", "firstName", &n.FirstName}, {"last_name", "lastName", &n.LastName}, {"company_name", "companyName", &n.Company},
		{"assigned_to_email", "assignedToEmail", &n.AssignedTo}, {"sendblue_number", "sendblueNumber", &n.LineNumber},
	} {
		for _, name := range []string{field.old, field.name} {
			if raw, ok := f[name]; !ok || string(raw) == "null" {
				continue
			}
			s, err := f.text(name)
			if err != nil {
				return n, err
			}
			*field.into = &s
		}
	}
	if n.LineNumber != nil {
		*n.LineNumber = cloud.RestorePlus(*n.LineNumber)
	}
	if n.Tags, err = f.list("tags"); err != nil {
		return n, err
	}
	if f.has("custom_variables") {
		if err := json.Unmarshal(f["custom_variables"], &n.Variables); err != nil {
			return n, cloud.Invalid("custom_variables", "The 'custom_variables' field must be an object of strings.")
		}
	}
	if f.has("opt_out") {
		out, err := f.flag("opt_out", false)
		if err != nil {
			return n, err
		}
		n.OptedOut = &out
	}
	return n, nil
}

// createContacts makes many contacts, all or none. What is there already is changed.
func (a *API) createContacts(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	var raw []fields
	if !f.has("contacts") {
		return reply{}, missing("contacts")
	}
	if err := json.Unmarshal(f["contacts"], &raw); err != nil || len(raw) == 0 || len(raw) > cloud.MaxContacts {
		return reply{}, cloud.Invalid("contacts", "The 'contacts' field must be an array of 1 to %d contacts.", cloud.MaxContacts)
	}
	list := make([]cloud.NewContact, len(raw))
	for i, one := range raw {
		if list[i], err = newContact(one); err != nil {
			return reply{}, err
		}
	}
	made, _, err := a.cloud.CreateContacts(ctx, c.who, cloud.NewContacts{List: list, Update: true})
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, struct {
		Status   string    `json:"status"`
		Contacts []contact `json:"contacts"`
	}{statusOK, renderContacts(made)}}, nil
}

func missing(field string) error { return cloud.Invalid(field, "Missing fields") }

// listContacts answers with the bare array of the contacts.
func (a *API) listContacts(ctx context.Context, c call) (reply, error) {
	q, err := c.query()
	if err != nil {
		return reply{}, err
	}
	f := store.ContactFilter{ID: q.text("cid"), Address: q.number("phone_number"), Descending: true}
	if f.Limit, err = q.integer("limit", 100, 1, maxContacts); err != nil {
		return reply{}, err
	}
	if f.Offset, err = q.integer("offset", 0, 0, maxOffset); err != nil {
		return reply{}, err
	}
	if f.CreatedSince, err = q.moment("created_at_gte"); err != nil {
		return reply{}, err
	}
	switch q.text("order_by") {
	case "", "created_at", "createdAt":
	case "phone":
		f.ByAddress, f.Descending = true, false
	default:
		return reply{}, cloud.Invalid("order_by", "The 'order_by' parameter must be created_at or phone.")
	}
	switch q.text("order_direction") {
	case "":
	case "asc":
		f.Descending = false
	case "desc":
		f.Descending = true
	default:
		return reply{}, cloud.Invalid("order_direction", "The 'order_direction' parameter must be asc or desc.")
	}
	list, err := a.cloud.Contacts(ctx, c.who, f)
	return reply{http.StatusOK, renderContacts(list)}, err
}

func (a *API) countContacts(ctx context.Context, c call) (reply, error) {
	n, err := a.cloud.CountContacts(ctx, c.who)
	return reply{http.StatusOK, struct {
		Count int64 `json:"count"`
	}{n}}, err
}

func (a *API) getContact(ctx context.Context, c call) (reply, error) {
	one, err := a.cloud.Contact(ctx, c.who, c.PathValue("phone"))
	return reply{http.StatusOK, oneContact{statusOK, renderContact(one)}}, noContact(err)
}

func (a *API) updateContact(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	notes, err := contactNotes(f)
	if err != nil {
		return reply{}, err
	}
	one, err := a.cloud.UpdateContact(ctx, c.who, c.PathValue("phone"), notes)
	return reply{http.StatusOK, oneContact{statusOK, renderContact(one)}}, noContact(err)
}

func (a *API) deleteContact(ctx context.Context, c call) (reply, error) {
	n, err := a.cloud.DeleteContacts(ctx, c.who, []string{c.PathValue("phone")})
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return reply{http.StatusOK, bare{statusOK}}, noContact(err)
}

// bare is an answer that says nothing else.
type bare struct {
	Status string `json:"status"`
}

// noContact is what is said where there is no such contact.
func noContact(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return &cloud.Error{Code: cloud.NotFound, Message: "Contact not found"}
	}
	return err
}

func (a *API) deleteContacts(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	list, err := f.list("contact_ids")
	if err != nil {
		return reply{}, err
	}
	if len(list) == 0 {
		return reply{}, missing("contact_ids")
	}
	if len(list) > cloud.MaxContacts || slices.Contains(list, "") {
		return reply{}, cloud.Invalid("contact_ids", "The 'contact_ids' field must hold 1 to %d ids or numbers, none of them empty.", cloud.MaxContacts)
	}
	n, err := a.cloud.DeleteContacts(ctx, c.who, list)
	return reply{http.StatusOK, struct {
		Status string `json:"status"`
		Amount int    `json:"amount"`
	}{statusOK, n}}, err
}

func (a *API) optOut(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	number, err := f.number("number")
	if err != nil {
		return reply{}, err
	}
	out, err := f.flag("opted_out", true)
	if err != nil {
		return reply{}, err
	}
	number, err = a.cloud.SetOptOut(ctx, c.who, number, out)
	return reply{http.StatusOK, struct {
		Status   string `json:"status"`
		Number   string `json:"number"`
		OptedOut bool   `json:"opted_out"`
	}{statusOK, number, out}}, err
}

// verifyContact tells what is known: a contact is verified by writing to one of the
// account's numbers, and nothing that we could send would do it.
func (a *API) verifyContact(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	number, err := f.number("number")
	if err != nil {
		return reply{}, err
	}
	if number == "" {
		return reply{}, missing("number")
	}
	one, err := a.cloud.Contact(ctx, c.who, number)
	if err != nil {
		return reply{}, noContact(err)
	}
	if !one.HasWritten {
		return reply{}, cloud.Invalid("number", "The contact is not verified: it is as soon as it writes to one of the account's numbers. This server cannot bring it about.")
	}
	return reply{http.StatusOK, bare{statusOK}}, nil
}
