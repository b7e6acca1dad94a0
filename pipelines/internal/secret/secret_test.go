package secret

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/api/option"
)

func TestRead(t *testing.T) {
	const name = "projects/p/secrets/elasticsearch-url/versions/latest"
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/"+name+":access" {
			http.Error(w, `{"error":{"code":404,"message":"no such secret"}}`, http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"name":%q,"payload":{"data":"aHR0cHM6Ly91OnBAZXMK"}}`, name)
	}))
	defer manager.Close()
	options := []option.ClientOption{option.WithEndpoint(manager.URL), option.WithoutAuthentication()}
	for _, c := range []struct{ setting, want, refused string }{
		{"http://127.0.0.1:9200", "http://127.0.0.1:9200", ""},
		{name, "https://u:p@es", ""},
		{"projects/p/secrets/other/versions/1", "", "read secret projects/p/secrets/other/versions/1"},
	} {
		got, err := Read(t.Context(), c.setting, options...)
		switch {
		case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s: error = %v, want %q", c.setting, err, c.refused)
		case c.refused == "" && (err != nil || got != c.want):
			t.Errorf("%s: = %q, %v, want %q", c.setting, got, err, c.want)
		}
	}
}
