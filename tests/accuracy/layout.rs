//! What the lines of a site look like: nginx `log_format` strings, and the values that go in.

/// A log format of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) name: &'static str,
    /// The `log_format` string.
    pub(crate) text: &'static str,
    /// Whether the server's configuration stands beside the logs; else the format is one that is known.
    pub(crate) declared: bool,
    pub(crate) escape_json: bool,
}

pub(crate) const COMBINED: Layout = Layout {
    name: "combined",
    text: r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
    declared: false,
    escape_json: false,
};

/// Formats with latency, upstream and host.
pub(crate) const TIMED: [Layout; 5] = [
    Layout {
        name: "timed",
        text: r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time $host $upstream_addr"#,
        declared: true,
        escape_json: false,
    },
    Layout {
        name: "main_ext",
        text: r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" "$host" sn="$server_name" rt=$request_time ua="$upstream_addr" us="$upstream_status" ut="$upstream_response_time""#,
        declared: true,
        escape_json: false,
    },
    Layout {
        name: "by_host",
        text: r#"$host $remote_addr - [$time_iso8601] "$request" $status $body_bytes_sent "$http_user_agent" rt=$request_time uaddr="$upstream_addr" ust="$upstream_status""#,
        declared: true,
        escape_json: false,
    },
    Layout {
        name: "piped",
        text: "$msec|$remote_addr|$host|$request_method|$request_uri|$server_protocol|$status|$bytes_sent|$request_time|$upstream_addr|$upstream_status|$http_user_agent",
        declared: true,
        escape_json: false,
    },
    Layout {
        name: "json",
        text: r#"{"time":"$time_iso8601","remote_addr":"$remote_addr","host":"$host","request_method":"$request_method","request_uri":"$request_uri","status":$status,"body_bytes_sent":$body_bytes_sent,"request_time":$request_time,"upstream_addr":"$upstream_addr","upstream_status":"$upstream_status","http_user_agent":"$http_user_agent"}"#,
        declared: false,
        escape_json: true,
    },
];

/// A variable, as nginx names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable {
    Client,
    TimeLocal,
    TimeIso,
    Millis,
    Request,
    Method,
    Uri,
    Protocol,
    Status,
    Bytes,
    Latency,
    Host,
    Upstream,
    UpstreamStatus,
    UpstreamLatency,
    Agent,
    /// What is `-` here.
    Nothing,
}

const NAMES: [(&str, Variable); 18] = [
    ("remote_addr", Variable::Client),
    ("time_local", Variable::TimeLocal),
    ("time_iso8601", Variable::TimeIso),
    ("msec", Variable::Millis),
    ("request", Variable::Request),
    ("request_method", Variable::Method),
    ("request_uri", Variable::Uri),
    ("server_protocol", Variable::Protocol),
    ("status", Variable::Status),
    ("body_bytes_sent", Variable::Bytes),
    ("bytes_sent", Variable::Bytes),
    ("request_time", Variable::Latency),
    ("host", Variable::Host),
    ("server_name", Variable::Host),
    ("upstream_addr", Variable::Upstream),
    ("upstream_status", Variable::UpstreamStatus),
    ("upstream_response_time", Variable::UpstreamLatency),
    ("http_user_agent", Variable::Agent),
];

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(&'static [u8]),
    Value(Variable),
}

impl Layout {
    /// The string taken apart.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        let mut out = Vec::new();
        let mut rest = self.text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push(Piece::Text(before.as_bytes()));
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            let known = NAMES.iter().find(|(name, _)| *name == &after[..end]);
            out.push(Piece::Value(known.map_or(Variable::Nothing, |(_, variable)| *variable)));
            rest = &after[end..];
        }
        out.push(Piece::Text(rest.as_bytes()));
        out
    }

    fn names(&self, variable: Variable) -> bool {
        self.pieces().contains(&Piece::Value(variable))
    }

    pub(crate) fn has_latency(&self) -> bool {
        self.names(Variable::Latency)
    }

    pub(crate) fn has_vhost(&self) -> bool {
        self.names(Variable::Host)
    }

    pub(crate) fn has_upstream(&self) -> bool {
        self.names(Variable::Upstream)
    }

    /// Whether its times have fractions of a second.
    pub(crate) fn has_millis(&self) -> bool {
        self.names(Variable::Millis)
    }

    /// The server's configuration, for a format that it declares.
    pub(crate) fn configuration(&self) -> Option<String> {
        let escape = if self.escape_json { "escape=json " } else { "" };
        self.declared.then(|| {
            format!(
                "events {{}}\nhttp {{\n    log_format {} {escape}'{}';\n    access_log /var/log/nginx/access.log {};\n}}\n",
                self.name, self.text, self.name
            )
        })
    }
}
