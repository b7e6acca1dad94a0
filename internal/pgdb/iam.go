package pgdb

import (
	"context"
	"encoding/json"
	"fmt"

	"cloud.google.com/go/compute/metadata"
	"github.com/jackc/pgx/v5"
)

// iamLogin in a DATABASE_URL (iam_login=true) signs in to Cloud SQL by IAM: the password is an access token of the process's account, which
// the metadata server gives. A token lasts an hour at most, and a connection that has signed in by it stays.
const iamLogin = "iam_login"

// byIAM takes the setting out of a configuration, and says whether it is on.
func byIAM(config *pgx.ConnConfig) bool {
	on := config.RuntimeParams[iamLogin] == "true"
	delete(config.RuntimeParams, iamLogin) // it isn't PostgreSQL's
	return on
}

// signIn puts the token of now into a configuration, before a connection is made by it.
func signIn(ctx context.Context, config *pgx.ConnConfig) error {
	answer, err := metadata.GetWithContext(ctx, "instance/service-accounts/default/token?scopes=https://www.googleapis.com/auth/sqlservice.login")
	if err != nil {
		return fmt.Errorf("ask for a token to sign in to PostgreSQL: %w", err)
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(answer), &token); err != nil || token.AccessToken == "" {
		return fmt.Errorf("the metadata server's answer has no access token")
	}
	config.Password = token.AccessToken
	return nil
}
