// Package http1 is the HTTP/1.1 engine of fairway: a server loop whose handlers
// are plain http.Handlers, and the reading and writing of messages under it.
//
// It costs little because of three habits. A head is copied once, into one
// string, and all that is parsed from it are substrings. What a request needs (the
// http.Request, its header map, the writer, the context) belongs to the connection
// and serves its next request too. And a connection that waits for a request holds
// no buffer.
//
// It is strict: a message whose end two parsers could see at different places is
// refused, never repaired. See errors.go for the rules.
package http1
