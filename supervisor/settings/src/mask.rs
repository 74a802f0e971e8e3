//! Hides what must not be read over a shoulder.

/// What stands for a secret.
pub(super) const MASK: &str = "***";

/// The URL without its user, password and secret parameters.
///
/// Everything before the last `@` is taken for the user and password, wherever a slash stands: a password
/// with an unescaped slash must not show either.
pub fn mask_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return mask_parameters(url) };
    match rest.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}://{MASK}@{}", mask_parameters(place)),
        None => format!("{scheme}://{}", mask_parameters(rest)),
    }
}

fn mask_parameters(place: &str) -> String {
    let Some((path, query)) = place.split_once('?') else { return place.to_owned() };
    let parameters: Vec<String> = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}={MASK}"),
            Some(_) | None => parameter.to_owned(),
        })
        .collect();
    format!("{path}?{}", parameters.join("&"))
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passwd", "secret", "token", "user"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::mask_url;

    #[test]
    fn no_part_of_the_userinfo_shows() {
        for (url, shown) in [
            ("postgres://app:s3cret@db:5432/muster", "postgres://***@db:5432/muster"),
            ("postgres://app:s/e@c?r#et@db/muster", "postgres://***@db/muster"),
            ("redis://:pw@cache", "redis://***@cache"),
            ("amqp://guest@mq/%2f", "amqp://***@mq/%2f"),
            ("redis://cache:6379/1", "redis://cache:6379/1"),
            ("postgres://db/x?password=a&sslmode=require", "postgres://db/x?password=***&sslmode=require"),
            ("sqlite:///var/lib/muster/muster.db?mode=rwc", "sqlite:///var/lib/muster/muster.db?mode=rwc"),
            ("not a url", "not a url"),
        ] {
            assert_eq!(mask_url(url), shown);
        }
    }
}
