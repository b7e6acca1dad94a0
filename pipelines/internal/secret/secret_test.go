package secret_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"google.golang.org/api/option"

	"larder.dev/pipelines/internal/secret"
)

func TestValue(t *testing.T) {
	const name = "projects/p/secrets/elasticsearch-writer-url/versions/latest"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/"+name+":access" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"name":"` + name + `","payload":{"data":"aHR0cDovL2VzOjkyMDAK"}}`)) // with a line's end, as echo writes it
	}))
	defer server.Close()
	options := []option.ClientOption{option.WithEndpoint(server.URL), option.WithoutAuthentication()}
	for given, want := range map[string]string{"http://127.0.0.1:9200": "http://127.0.0.1:9200", name: "http://es:9200"} {
		if got, err := secret.Value(t.Context(), given, options...); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", given, got, err, want)
		}
	}
	if got, err := secret.Value(t.Context(), "projects/p/secrets/other/versions/1", options...); err == nil {
		t.Errorf("a secret that isn't there is %q", got)
	}
}
