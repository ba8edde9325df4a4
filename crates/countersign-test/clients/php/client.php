<?php
// What a PHP site writes by hand: `trusted-site`, and the signature base of RFC 9421, under `openssl_sign` and `hash_hmac`.
// ../run.py says what is done here.
declare(strict_types=1);

require __DIR__ . '/keys.php';
require __DIR__ . '/wire.php';

const BODY = '{"amount": "12"}';
const TARGET = '/orders?item=1&count=2';
const COVERED = ['@method', '@authority', '@path', '@query', 'content-type', 'x-purpose', 'content-digest'];

[, $binary, $gateway, $tables] = $argv;

// What PHP only warns of ends the run, too.
set_error_handler(fn ($level, $text, $file, $line) => throw new ErrorException($text, 0, $level, $file, $line));

/** The second ends in 5, so that a table can say the one before and the one after. */
function moment(): int
{
    return intdiv(time(), 10) * 10 - 5;
}

function digest(string $body): string
{
    return 'sha-256=:' . base64_encode(hash('sha256', $body, true)) . ':';
}

/** RFC 9421, section 2.5: a line per component, and what Signature-Input says. */
function base(array $covered, string $method, string $target, array $headers, string $input): string
{
    [$path, $query] = explode('?', $target, 2) + [1 => ''];
    $values = ['@method' => $method, '@authority' => $headers['host'], '@path' => $path, '@query' => "?$query"] + $headers;
    $lines = array_map(fn ($name) => "\"$name\": $values[$name]", $covered);
    return implode("\n", [...$lines, "\"@signature-params\": $input"]);
}

/** `trusted-site`: a payload and the second, with a `|` between. */
function trustedSite(Key $key, string $payload, int $flags = JSON_UNESCAPED_SLASHES): string
{
    $stamp = moment();
    $signature = base64_encode($key->sign("$payload|$stamp"));
    $body = ['payload' => $payload, 'timestamp' => $stamp, 'signature' => $signature, 'site_id' => $key->id];
    return json_encode($body, $flags | JSON_THROW_ON_ERROR);
}

function signed(Key $key, string $gateway): Request
{
    $headers = ['Host' => $gateway, 'Content-Type' => 'application/json'];
    if ($key->scheme === 'trusted-site') {
        // Of the same second and payload it would be the same request, so every payload is another.
        $payload = json_encode(['email' => bin2hex(random_bytes(8)) . '.twelve@example.com']);
        return new Request('POST', '/trusted', $headers, trustedSite($key, $payload));
    }
    $headers += ['X-Purpose' => 'test', 'Content-Digest' => digest(BODY)];
    $names = implode(' ', array_map(fn ($name) => "\"$name\"", COVERED));
    $nonce = bin2hex(random_bytes(12));
    $input = "($names);created=" . moment() . ";keyid=\"$key->id\";alg=\"$key->algorithm\";nonce=\"$nonce\"";
    $base = base(COVERED, 'POST', TARGET, array_change_key_case($headers), $input);
    $headers += ['Signature-Input' => "sig=$input", 'Signature' => 'sig=:' . base64_encode($key->sign($base)) . ':'];
    return new Request('POST', TARGET, $headers, BODY);
}

/** Each change is refused; what was changed passes as it was, so it was the change, and refusing it spent nothing; once. */
function everyChange(Key $key, string $gateway, string $table): void
{
    foreach (rows($table) as [$what, $code, $find, $put]) {
        $request = signed($key, $gateway);
        expect($code, send($gateway, changed($request->text(), $find, $put)), "$key->id, $what");
        saw('refused', $key, $what);
        expect('passed', $request->sendAsClientsDo(), "$key->id, after $what");
        saw('passed', $key, $what);
        expect('replayed', $request->sendAsClientsDo(), "$key->id, again after $what");
        saw('replayed', $key, $what);
    }
}

/** Payloads that sites send, in JSON as PHP prints it when nobody says how: `\/` for a slash, `\u00e9` for é. */
function everyPayload(Key $key, string $gateway): void
{
    $headers = ['Host' => $gateway, 'Content-Type' => 'application/json; charset=utf-8'];
    $payloads = ['{"email":"jos\u00e9@example.com"}', '{"email":"josé@例え.jp"}', 'a|1795000000', '|', '"💶"', ' '];
    foreach ($payloads as $payload) {
        foreach ([0, JSON_PRETTY_PRINT, JSON_UNESCAPED_UNICODE] as $number => $flags) {
            $request = new Request('POST', '/trusted', $headers, trustedSite($key, $payload . $number, $flags));
            expect('passed', $request->sendAsClientsDo(), $payload);
            saw('passed', $key, 'payload');
            expect('replayed', $request->sendAsClientsDo(), $payload);
            saw('replayed', $key, 'payload');
        }
    }
}

/** What `countersign sign` signed is verified by PHP, and no longer once it was changed. */
function theOtherWay(Key $key, string $binary): void
{
    $site = $key->scheme === 'trusted-site';
    $messages = [
        'with body and query' => ['POST', $site ? '/trusted' : '/orders?item=1&count=2', '{"email":"é|1@example.com"}'],
        'with body' => ['POST', '/orders', "a payload of \"any\" kind \u{1F4B6}"],
    ] + ($site ? [] : ['with query' => ['GET', '/orders?a=%2F&b', ''], 'neither' => ['DELETE', '/orders/1', '']]);
    foreach ($messages as $what => [$method, $target, $body]) {
        $type = $body === '' ? '' : "Content-Type: application/json\r\n";
        $message = Request::parse($key->countersign($binary, "$method $target HTTP/1.1\r\nHost: a.example\r\n$type\r\n$body"));
        [$signed, $signature] = $site ? fromBody($key, $message, $body) : fromHead($key, $message, $body);
        expect(true, $key->verify($signed, $signature), "$key->id, $what: $signed");
        expect(false, $key->verify(" $signed", $signature), "$key->id, $what, changed");
        $signature[0] = chr(ord($signature[0]) ^ 1);
        expect(false, $key->verify($signed, $signature), "$key->id, $what, signature changed");
        saw('verified', $key, $what);
    }
}

function fromBody(Key $key, Request $message, string $payload): array
{
    $body = json_decode($message->body, true, 2, JSON_THROW_ON_ERROR);
    expect(['payload', 'timestamp', 'signature', 'site_id'], array_keys($body), 'members');
    expect([$payload, $key->id], [$body['payload'], $body['site_id']], 'the payload');
    expect(true, is_int($body['timestamp']) && abs($body['timestamp'] - time()) < 60, 'the time');
    return ["{$body['payload']}|{$body['timestamp']}", base64_decode($body['signature'], true)];
}

function fromHead(Key $key, Request $message, string $body): array
{
    $headers = array_change_key_case($message->headers);
    expect($body, $message->body, 'the body');
    expect($body === '' ? null : digest($body), $headers['content-digest'] ?? null, 'the digest');
    $input = substr($headers['signature-input'], strlen('sig1='));
    $covered = explode(' ', str_replace('"', '', substr($input, 1, strpos($input, ')') - 1)));
    $absent = $body === '' ? ['x-purpose', 'content-type', 'content-digest'] : ['x-purpose'];
    expect(array_values(array_diff(COVERED, $absent)), $covered, 'what is covered');
    expect(1, preg_match("/^sig1=:([A-Za-z0-9+\/]+=*):\$/", $headers['signature'], $found), 'the signature');
    return [base($covered, $message->method, $message->target, $headers, $input), base64_decode($found[1], true)];
}

function saw(string $column, Key $key, string $what): void
{
    echo "$column\t$key->id\t$what\n";
}

function expect(mixed $expected, mixed $seen, string $what): void
{
    if ($expected !== $seen) {
        throw new Exception("$what: expected " . var_export($expected, true) . ', saw ' . var_export($seen, true));
    }
}

foreach (file('keys.txt', FILE_IGNORE_NEW_LINES) as $line) {
    $key = new Key(...preg_split('/\s+/', $line));
    everyChange($key, $gateway, "$tables/$key->scheme.txt");
    if ($key->scheme === 'trusted-site') {
        everyPayload($key, $gateway);
    }
    theOtherWay($key, $binary);
}
