package textingblue

import (
	"context"
	"math"
	"net/http"

	"bluerelay/cloud/store"
)

// team is the account: five keys.
type team struct {
	ID                  string  `json:"id"`
	Name                string  `json:"name"`
	Plan                string  `json:"plan"`
	MonthlyMessageLimit int64   `json:"monthly_message_limit"`
	CreatedAt           *string `json:"created_at"`
}

func renderTeam(v store.Account) team {
	out := team{ID: v.ID, Name: v.Name, Plan: v.Plan, MonthlyMessageLimit: v.MonthlyMessages, CreatedAt: stamp(v.CreatedAt)}
	if v.MonthlyMessages == 0 {
		out.MonthlyMessageLimit = math.MaxInt32 // no limit; clients subtract from it
	}
	return out
}

// member is a person: five keys.
type member struct {
	ID        string  `json:"id"`
	Email     string  `json:"email"`
	Name      string  `json:"name"`
	Role      string  `json:"role"`
	CreatedAt *string `json:"created_at"`
}

func renderMember(m store.Member) member {
	return member{ID: m.ID, Email: m.Login, Name: m.Name, Role: m.Role, CreatedAt: stamp(m.CreatedAt)}
}

// invitation is one that is open: four keys, and ours.
type invitation struct {
	ID        string  `json:"invitation_id"`
	Email     string  `json:"email"`
	Role      string  `json:"role"`
	ExpiresAt *string `json:"expires_at"`
	// CreatedAt is in the list only, InviteURL in the answer that makes it only.
	CreatedAt *string `json:"created_at,omitempty"`
	InviteURL string  `json:"invite_url,omitempty"`
}

func renderInvitation(v store.Invitation) invitation {
	return invitation{ID: v.ID, Email: v.Email, Role: v.Role, ExpiresAt: stamp(v.ExpiresAt)}
}

func (a *API) getTeam(_ context.Context, c call) (reply, error) {
	return reply{http.StatusOK, renderTeam(c.who.Account)}, nil
}

func (a *API) updateTeam(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	name, err := f.text("name")
	if err != nil {
		return reply{}, err
	}
	changed, err := a.cloud.RenameTeam(ctx, c.who, name)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, renderTeam(changed)}, nil
}

func (a *API) listMembers(ctx context.Context, c call) (reply, error) {
	list, err := a.cloud.Members(ctx, c.who)
	if err != nil {
		return reply{}, err
	}
	members := make([]member, len(list))
	for i, m := range list {
		members[i] = renderMember(m)
	}
	return reply{http.StatusOK, map[string]any{"members": members}}, nil
}

func (a *API) updateMember(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	role, err := f.text("role")
	if err != nil {
		return reply{}, err
	}
	m, err := a.cloud.SetRole(ctx, c.who, c.PathValue("id"), role)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, renderMember(m)}, nil
}

func (a *API) deleteMember(ctx context.Context, c call) (reply, error) {
	id := c.PathValue("id")
	if err := a.cloud.RemoveMember(ctx, c.who, id); err != nil {
		return reply{}, err
	}
	return deleted(id), nil
}

func (a *API) inviteMember(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	email, err := f.text("email")
	if err != nil {
		return reply{}, err
	}
	role, err := f.text("role")
	if err != nil {
		return reply{}, err
	}
	v, url, err := a.cloud.Invite(ctx, c.who, email, role)
	if err != nil {
		return reply{}, err
	}
	out := renderInvitation(v)
	out.InviteURL = url
	return reply{http.StatusCreated, out}, nil
}

func (a *API) listInvitations(ctx context.Context, c call) (reply, error) {
	list, err := a.cloud.Invitations(ctx, c.who)
	if err != nil {
		return reply{}, err
	}
	invitations := make([]invitation, len(list))
	for i, v := range list {
		invitations[i] = renderInvitation(v)
		invitations[i].CreatedAt = stamp(v.CreatedAt)
	}
	return reply{http.StatusOK, map[string]any{"invitations": invitations}}, nil
}

func (a *API) deleteInvitation(ctx context.Context, c call) (reply, error) {
	id := c.PathValue("id")
	if err := a.cloud.CancelInvitation(ctx, c.who, id); err != nil {
		return reply{}, err
	}
	return deleted(id), nil
}
