            upper(status) = wanted.status
