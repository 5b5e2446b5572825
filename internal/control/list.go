package control

import (
	"bufio"
	"encoding/json"
	"net/http"
)

// writeList answers with a JSON array that is written as it is encoded: ten thousand
// shops take megabytes.
func writeList[T any](w http.ResponseWriter, list []T) {
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, 32<<10)
	defer out.Flush()
	encode := json.NewEncoder(out)
	_ = out.WriteByte('[')
	for i := range list {
		if i > 0 {
			_ = out.WriteByte(',')
		}
		if encode.Encode(&list[i]) != nil {
			return // the client has gone
		}
	}
	_, _ = out.WriteString("]\n")
}
