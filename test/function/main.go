// Command function is a function for tests: it answers requests and questions of both versions of the
// contract, by their paths.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func main() { lambda.Start(answer) }

// answer finds out what it is asked.
func answer(ctx context.Context, event json.RawMessage) (any, error) {
	var kind struct{ Version, Type, RawPath string }
	if err := json.Unmarshal(event, &kind); err != nil {
		return nil, err
	}
	switch {
	case kind.Type == "TOKEN":
		return authorizeToken(event)
	case kind.Type == "REQUEST" && kind.Version == "2.0":
		return authorizeV2(event)
	case kind.Type == "REQUEST":
		return authorizeV1(event)
	case kind.Version == "1.0":
		return answerV1(event)
	}
	return answerV2(ctx, event)
}

func answerV2(ctx context.Context, event json.RawMessage) (any, error) {
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	switch e.RawPath {
	case "/value":
		return map[string]string{"message": "hello"}, nil
	case "/error":
		return nil, errors.New("no bread today")
	case "/panic":
		panic("no bread ever")
	case "/hang":
		<-ctx.Done()
		return nil, ctx.Err()
	case "/bytes":
		return events.APIGatewayV2HTTPResponse{
			StatusCode: 200, Headers: map[string]string{"Content-Type": "image/png"}, Cookies: []string{"a=1", "b=2"},
			Body: base64.StdEncoding.EncodeToString([]byte("\x89PNG\xff\x00")), IsBase64Encoded: true,
		}, nil
	case "/stream", "/stream-broken":
		return streamed(e.RawPath == "/stream-broken"), nil
	case "/once":
		return nil, once(e.QueryStringParameters["file"])
	}
	body := e.Body
	if e.IsBase64Encoded {
		raw, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			return nil, err
		}
		body = string(raw)
	}
	said := map[string]any{
		"method": e.RequestContext.HTTP.Method, "path": e.RawPath, "query": e.QueryStringParameters, "cookies": e.Cookies, "body": body, "encoded": e.IsBase64Encoded,
		"pathParameters": e.PathParameters, "stage": e.StageVariables, "headers": e.Headers, "trace": os.Getenv("_X_AMZN_TRACE_ID"),
	}
	if a := e.RequestContext.Authorizer; a != nil {
		said["lambda"] = a.Lambda
	}
	if c, ok := lambdacontext.FromContext(ctx); ok {
		said["arn"] = c.InvokedFunctionArn
	}
	text, err := json.Marshal(said)
	return events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{"Content-Type": "application/json"}, Body: string(text)}, err
}

func answerV1(event json.RawMessage) (any, error) {
	var e events.APIGatewayProxyRequest
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	text, err := json.Marshal(map[string]any{
		"method": e.HTTPMethod, "path": e.Path, "resource": e.Resource, "query": e.MultiValueQueryStringParameters, "body": e.Body,
		"authorizer": e.RequestContext.Authorizer, "ip": e.RequestContext.Identity.SourceIP,
	})
	return events.APIGatewayProxyResponse{
		StatusCode: 201, Headers: map[string]string{"Content-Type": "application/json"}, MultiValueHeaders: map[string][]string{"Set-Cookie": {"a=1", "b=2"}}, Body: string(text),
	}, err
}

// streamed comes in two parts, the second of which may be missing.
func streamed(broken bool) any {
	r, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, "one ")
		if broken {
			_ = w.CloseWithError(errors.New("out of words"))
			return
		}
		_, _ = io.WriteString(w, "two")
		_ = w.Close()
	}()
	return &events.LambdaFunctionURLStreamingResponse{StatusCode: 202, Headers: map[string]string{"Content-Type": "text/plain"}, Cookies: []string{"s=1"}, Body: r}
}

// once leaves a file, by which is seen that it was called.
func once(file string) error { return os.WriteFile(file, []byte(time.Now().String()), 0o600) }

// authorizeV2 lets ann in.
func authorizeV2(event json.RawMessage) (any, error) {
	var e events.APIGatewayV2CustomAuthorizerV2Request
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	who := strings.TrimPrefix(e.Headers["authorization"], "Bearer ")
	if who == "broken" {
		return nil, errors.New("the book of names is lost")
	}
	return events.APIGatewayV2CustomAuthorizerSimpleResponse{IsAuthorized: who == "ann", Context: map[string]any{"user": who, "path": e.RawPath, "level": 3}}, nil
}

// authorizeV1 lets who is named in a header do what is asked for.
func authorizeV1(event json.RawMessage) (any, error) {
	var e events.APIGatewayCustomAuthorizerRequestTypeRequest
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	return policy(e.Headers["X-User"], e.MethodArn)
}

// authorizeToken lets ann read everything, nobody the gates, and who has no token nothing.
func authorizeToken(event json.RawMessage) (any, error) {
	var e events.APIGatewayCustomAuthorizerRequest
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	api, _, _ := strings.Cut(e.MethodArn, "/")
	return policy(strings.TrimPrefix(e.AuthorizationToken, "Bearer "), api+"/*/GET/*")
}

func policy(who, resource string) (any, error) {
	switch who {
	case "unknown":
		return nil, errors.New("Unauthorized")
	case "broken":
		return nil, errors.New("the book of names is lost")
	}
	effect := "Allow"
	if who != "ann" {
		effect = "Deny"
	}
	return events.APIGatewayCustomAuthorizerResponse{
		PrincipalID: who, Context: map[string]any{"user": who, "level": 3},
		PolicyDocument: events.APIGatewayCustomAuthorizerPolicy{Version: "2012-10-17", Statement: []events.IAMPolicyStatement{
			{Effect: effect, Action: []string{"execute-api:Invoke"}, Resource: []string{resource}},
			{Effect: "Deny", Action: []string{"execute-api:Invoke"}, Resource: []string{"*/gates/*"}},
		}},
	}, nil
}
