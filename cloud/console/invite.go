package console

import (
	"errors"
	"net/http"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// maxForm is the size of a posted form in bytes.
const maxForm = 16 << 10

// invitePage is what the page of an invitation shows: nothing but that it is not open
// without Token and Joined.
type invitePage struct {
	cloud.Invited
	Token   string
	Name    string // as it was typed
	Problem string // what to do otherwise
	Joined  bool

	MinPassword, MaxPassword int
}

func (c Console) showInvitation(w http.ResponseWriter, r *http.Request) {
	token := ourToken(r.URL.Query().Get("token"))
	v, err := c.Cloud.Invitation(r.Context(), token)
	c.renderInvitation(w, invitePage{Invited: v, Token: token}, err)
}

func (c Console) acceptInvitation(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form could not be read", http.StatusBadRequest)
		return
	}
	page := invitePage{Token: ourToken(r.PostForm.Get("token")), Name: r.PostForm.Get("name")}
	var err error
	if page.Invited, err = c.Cloud.Invitation(r.Context(), page.Token); err == nil {
		_, err = c.Cloud.Join(r.Context(), page.Token, page.Name, r.PostForm.Get("password"))
		page.Joined = err == nil
	}
	c.renderInvitation(w, page, err)
}

// renderInvitation shows the page as err, nil for none, has it.
func (c Console) renderInvitation(w http.ResponseWriter, page invitePage, err error) {
	status := http.StatusOK
	page.MinPassword, page.MaxPassword = cloud.MinPassword, cloud.MaxPassword
	own, mendable := errors.AsType[*cloud.Error](err)
	switch {
	case errors.Is(err, store.ErrNotFound):
		status, page = http.StatusNotFound, invitePage{}
	case mendable:
		status, page.Problem = http.StatusUnprocessableEntity, own.Message
	case err != nil:
		c.Log.Error("invitation.failed", "error", err.Error())
		http.Error(w, "the server cannot answer at the moment: try again later", http.StatusServiceUnavailable)
		return
	}
	c.render(w, status, "invite.html", page)
}
