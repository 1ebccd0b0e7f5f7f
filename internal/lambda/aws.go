package lambda

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// signer signs invocations by Signature Version 4. What the SDK needs to find out it finds out when the
// first one is signed, for it may ask servers; what fails is tried again with the next.
type signer struct {
	options AWS
	region  string // as configured; empty: that of the SDK
	v4      *v4.Signer

	mu     sync.Mutex
	loaded *aws.Config // nil: not yet
}

// signer checks the options. name is that of the function, whose ARN may have the region.
func (a *AWS) signer(name string) (*signer, error) {
	s := &signer{options: *a, region: a.Region, v4: v4.NewSigner()}
	if s.region == "" {
		s.region, _ = ARN(name)
	}
	switch {
	case !validRegion.MatchString(s.region):
		return nil, fmt.Errorf("region: %q is none", s.region)
	case (a.AccessKeyID == "") != (a.SecretAccessKey == ""):
		return nil, errors.New("accessKeyID: it and secretAccessKey go together")
	case a.SessionToken != "" && a.AccessKeyID == "":
		return nil, errors.New("sessionToken: there is no accessKeyID that it belongs to")
	case a.AccessKeyID != "" && (a.CredentialsFile != "" || a.Profile != ""):
		return nil, errors.New("accessKeyID: there is a credentialsFile or profile as well")
	}
	return s, nil
}

// load asks the SDK for what is configured nowhere here.
func (s *signer) load(ctx context.Context) (*aws.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded != nil {
		return s.loaded, nil
	}
	var options []func(*config.LoadOptions) error
	if s.region != "" {
		options = append(options, config.WithRegion(s.region))
	}
	if o := s.options; o.AccessKeyID != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey.Reveal(), o.SessionToken.Reveal())))
	}
	if s.options.CredentialsFile != "" {
		options = append(options, config.WithSharedCredentialsFiles([]string{s.options.CredentialsFile}))
	}
	if s.options.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(s.options.Profile))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	switch {
	case err != nil:
		return nil, fmt.Errorf("find the credentials of AWS: %w", err)
	case loaded.Region == "" || !validRegion.MatchString(loaded.Region):
		return nil, errors.New("the region of AWS is not known")
	}
	s.loaded = &loaded
	return s.loaded, nil
}

// endpoint is that of AWS Lambda in the region.
func (s *signer) endpoint(ctx context.Context) (*url.URL, error) {
	loaded, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(loaded.Region, "cn-") {
		domain = "amazonaws.com.cn"
	}
	return &url.URL{Scheme: "https", Host: "lambda." + loaded.Region + "." + domain}, nil
}

// sign signs a request with its body.
func (s *signer) sign(ctx context.Context, r *http.Request, body []byte) error {
	loaded, err := s.load(ctx)
	if err != nil {
		return err
	}
	found, err := loaded.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("find the credentials of AWS: %w", err)
	}
	sum := sha256.Sum256(body)
	return s.v4.SignHTTP(ctx, found, r, hex.EncodeToString(sum[:]), "lambda", loaded.Region, time.Now())
}
