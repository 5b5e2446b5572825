package config

import "testing"

func TestProperty(t *testing.T) {
	const text = "# comment=1\n! comment=2\n\n  plain=value\ncolon: a:b\nblank  c d \n\ttab\t=\tx\nempty\n" +
		"with\\ blank=1\nequals\\==2\nescaped=\\t\\n\\r\\f\\\\\\q\nunicode=\\u5e97\\u00e9\nbad=\\u12\nlong=a\\\n    b\\\n  c\n" +
		"not\\\\=continued\\\\\nlast=1\nlast=2\r\nwindows=w\r\nend=e\\"
	for key, want := range map[string]string{
		"plain": "value", "colon": "a:b", "blank": "c d", "tab": "x", "empty": "", "with blank": "1", "equals=": "2",
		"escaped": `\q`, "unicode": "店é", "bad": "u12", "long": "abc", `not\`: `continued\`, "last": "2", "windows": "w", "end": "e",
	} {
		if got, found := property(text, key); !found || got != want {
			t.Errorf("%s = %q, %v, want %q", key, got, found, want)
		}
	}
	for _, key := range []string{"", "comment", "# comment", "a", "c"} {
		if got, found := property(text, key); found {
			t.Errorf("%q is found: %q", key, got)
		}
	}
}
