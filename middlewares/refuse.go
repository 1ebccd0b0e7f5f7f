package middlewares

import (
	"net/http"

	"fairway/internal/answer"
)

// Refuse is the one way a middleware answers a request itself with an error. The
// body is the text of the status; the cause goes to the request's record, for the
// operator, and never to the client.
func Refuse(w http.ResponseWriter, r *http.Request, status int, cause string) {
	answer.Refuse(w, r, status, cause)
}
