package config

import (
	"strconv"
	"strings"
)

func readKafka(env *environment, f *faults) Kafka {
	k := Kafka{
		Brokers: f.brokers("KAFKA_BROKERS", env.KafkaBrokers),
		TLS: TLS{
			Enable:     f.boolean("KAFKA_TLS_ENABLE", env.KafkaTLSEnable),
			CAFile:     f.readable("KAFKA_TLS_CA_FILE", env.KafkaTLSCaFile),
			CertFile:   f.readable("KAFKA_TLS_CERT_FILE", env.KafkaTLSCertFile),
			KeyFile:    f.readable("KAFKA_TLS_KEY_FILE", env.KafkaTLSKeyFile),
			ServerName: env.KafkaTLSServerName,
		},
		SASL: readSASL(env, f),
	}
	// Reject TLS settings that would be ignored: an operator who configured
	// certificates must not get an unencrypted connection.
	if on, err := strconv.ParseBool(env.KafkaTLSEnable); err == nil && !on && (env.KafkaTLSCaFile+env.KafkaTLSCertFile+env.KafkaTLSKeyFile+env.KafkaTLSServerName) != "" {
		f.add(variable("KAFKA_TLS_ENABLE"), "is not on, but other TLS variables are set", "give true, or remove them")
	}
	if (env.KafkaTLSCertFile == "") != (env.KafkaTLSKeyFile == "") {
		f.add(variable("KAFKA_TLS_CERT_FILE"), "and "+variable("KAFKA_TLS_KEY_FILE")+" go together", "give both or neither")
	}
	if k.SASL.Mechanism == mskIAM && !k.TLS.Enable {
		f.add(variable("KAFKA_TLS_ENABLE"), "is not on", mskIAM+" is offered over TLS only: give true")
	}
	return k
}

const (
	oauthBearer = "OAUTHBEARER"
	mskIAM      = "AWS_MSK_IAM"
)

func readSASL(env *environment, f *faults) SASL {
	s := SASL{
		Mechanism: f.choice("KAFKA_SASL_MECHANISM", env.KafkaSASLMechanism,
			[]string{"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", oauthBearer, mskIAM}, nil),
		Username: env.KafkaSASLUsername,
		Password: f.password(variable("KAFKA_SASL_PASSWORD"), env.KafkaSASLPassword,
			variable("KAFKA_SASL_PASSWORD_FILE"), env.KafkaSASLPasswordFile),
		Token: f.secret("", "", variable("KAFKA_SASL_TOKEN_FILE"), env.KafkaSASLTokenFile),
		ClientSecret: f.password(variable("KAFKA_SASL_CLIENT_SECRET"), env.KafkaSASLClientSecret,
			variable("KAFKA_SASL_CLIENT_SECRET_FILE"), env.KafkaSASLClientSecretFile),
		ClientID:   env.KafkaSASLClientID,
		Scope:      env.KafkaSASLScope,
		Extensions: f.extensions("KAFKA_SASL_EXTENSIONS", env.KafkaSASLExtensions),
	}
	if env.KafkaSASLTokenURL != "" {
		s.TokenURL = f.tokenURL("KAFKA_SASL_TOKEN_URL", env.KafkaSASLTokenURL)
	}
	password := env.KafkaSASLPassword + env.KafkaSASLPasswordFile
	client := env.KafkaSASLClientID + env.KafkaSASLClientSecret + env.KafkaSASLClientSecretFile + env.KafkaSASLScope
	forToken := env.KafkaSASLTokenFile + env.KafkaSASLTokenURL + client + env.KafkaSASLExtensions

	switch {
	case env.KafkaSASLMechanism == "" && s.Username+password+forToken != "":
		f.add(variable("KAFKA_SASL_MECHANISM"), "is not set, but other SASL variables are",
			"give PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM")
		return s
	case s.Mechanism == "":
		return s
	}
	switch s.Mechanism {
	case oauthBearer:
		f.needsToken(env)
	case mskIAM:
	default:
		if s.Username == "" {
			f.add(variable("KAFKA_SASL_USERNAME"), "is not set", s.Mechanism+" needs one")
		}
		if password == "" {
			f.add(variable("KAFKA_SASL_PASSWORD"), "is not set",
				s.Mechanism+" needs it, or "+variable("KAFKA_SASL_PASSWORD_FILE"))
		}
	}
	if s.Mechanism != oauthBearer && forToken != "" {
		f.add(variable("KAFKA_SASL_MECHANISM"), "is "+s.Mechanism+", which takes no token, client or extensions",
			"give OAUTHBEARER, or remove them")
	}
	if (s.Mechanism == oauthBearer || s.Mechanism == mskIAM) && s.Username+password != "" {
		f.add(variable("KAFKA_SASL_MECHANISM"), "is "+s.Mechanism+", which takes no user name or password",
			"give PLAIN or a SCRAM, or remove them")
	}
	return s
}

// needsToken requires exactly one source of the token and that source's settings.
func (f *faults) needsToken(env *environment) {
	file, url := variable("KAFKA_SASL_TOKEN_FILE"), variable("KAFKA_SASL_TOKEN_URL")
	client := env.KafkaSASLClientID + env.KafkaSASLClientSecret + env.KafkaSASLClientSecretFile + env.KafkaSASLScope
	switch {
	case env.KafkaSASLTokenFile != "" && env.KafkaSASLTokenURL != "":
		f.add(file, "and "+url+" are both set", "give one of them")
	case env.KafkaSASLTokenFile != "" && client != "":
		f.add(file, "is set, and client credentials, which only "+url+" takes", "give that one, or remove them")
	case env.KafkaSASLTokenFile != "":
	case env.KafkaSASLTokenURL == "":
		f.add(file, "and "+url+" are both not set", "OAUTHBEARER needs one of them")
	default:
		if env.KafkaSASLClientID == "" {
			f.add(variable("KAFKA_SASL_CLIENT_ID"), "is not set", url+" needs it")
		}
		if env.KafkaSASLClientSecret+env.KafkaSASLClientSecretFile == "" {
			f.add(variable("KAFKA_SASL_CLIENT_SECRET"), "is not set", url+" needs it, or "+variable("KAFKA_SASL_CLIENT_SECRET_FILE"))
		}
	}
}

// extensions reads name=value pairs. The values are not quoted in faults.
func (f *faults) extensions(name, given string) map[string]string {
	if given == "" {
		return nil
	}
	all := map[string]string{}
	for pair := range strings.SplitSeq(given, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		letters := !strings.ContainsFunc(key, func(r rune) bool { return (r|0x20 < 'a' || r|0x20 > 'z') })
		printable := !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
		switch {
		case !ok || key == "" || !letters || value == "" || !printable:
			f.add(variable(name), "is not a list of name=value", "give such as logicalCluster=lkc-1,identityPoolId=pool-1")
			return nil
		case key == "auth":
			f.add(variable(name), "has auth, which is the token's own name", "remove it")
			return nil
		}
		all[key] = value
	}
	return all
}
