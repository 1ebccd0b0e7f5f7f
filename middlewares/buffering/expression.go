package buffering

import (
	"net/http"

	"fairway/internal/predicate"
)

// mostAttempts bounds what one request can become.
const mostAttempts = 10

// attempt is what a retryExpression is asked about.
type attempt struct {
	made    int
	method  string
	status  int
	network bool
}

// parse reads a retryExpression.
func parse(expression string) (func(attempt) bool, error) {
	return predicate.Parse(expression, []predicate.Function[attempt]{
		{Name: "Attempts", Number: func([]float64) (func(attempt) float64, error) {
			return func(a attempt) float64 { return float64(a.made) }, nil
		}},
		{Name: "ResponseCode", Number: func([]float64) (func(attempt) float64, error) {
			return func(a attempt) float64 { return float64(a.status) }, nil
		}},
		{Name: "IsNetworkError", Truth: func([]float64) (func(attempt) bool, error) {
			return func(a attempt) bool { return a.network }, nil
		}},
		{Name: "RequestMethod", Text: func([]float64) (func(attempt) string, error) {
			return func(a attempt) string { return a.method }, nil
		}},
	})
}

// isNetworkError tells of a status that says that no server has answered.
func isNetworkError(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusGatewayTimeout
}
