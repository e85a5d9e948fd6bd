package sendblue

import "net/http"

// Route is a line of the router's table, for tests.
type Route struct {
	Pattern string
	Need    string
}

// Routes is the router's table.
func (a *API) Routes() []Route {
	list := make([]Route, len(a.routes))
	for i, r := range a.routes {
		list[i] = Route{r.pattern, string(r.need)}
	}
	return list
}

// Refuse answers a request with an error, as a handler's is.
func (a *API) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	out := a.errorReply(w, r, err)
	a.cloud.Answer(w, out.status, out.body, trouble)
}
