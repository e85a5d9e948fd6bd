package sendblue

import (
	"context"
	"net/http"
)

// getAccount tells whose keys those are. Any key may ask.
func (a *API) getAccount(_ context.Context, c call) (reply, error) {
	own := c.who.Account
	return reply{http.StatusOK, struct {
		Status    string `json:"status"`
		AccountID string `json:"account_id"`
		Name      string `json:"company_name"`
		Email     string `json:"email"`
		Plan      string `json:"plan"`
		CreatedAt string `json:"created_at"`
	}{statusOK, own.ID, own.Name, own.Email, own.Plan, stamp(own.CreatedAt)}}, nil
}
