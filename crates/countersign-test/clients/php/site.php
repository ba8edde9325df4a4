<?php
// A PHP site that vouches for a user, in nothing but what PHP brings: php site.php BASE KEY SITE_ID PATH EMAIL
// Prints the status and the body of the answer.
declare(strict_types=1);

[, $base, $key, $site, $path, $email] = $argv;

set_error_handler(fn ($level, $text, $file, $line) => throw new ErrorException($text, 0, $level, $file, $line));

$payload = json_encode(['email' => $email, 'for' => $path, 'request' => bin2hex(random_bytes(8))], JSON_THROW_ON_ERROR);
$timestamp = time();
openssl_sign("$payload|$timestamp", $signature, file_get_contents($key), OPENSSL_ALGO_SHA256) || exit(1);
$body = ['payload' => $payload, 'timestamp' => $timestamp, 'signature' => base64_encode($signature), 'site_id' => $site];
$request = [
    'method' => 'POST',
    'header' => "Content-Type: application/json\r\nAccept: application/json\r\n",
    'content' => json_encode($body, JSON_THROW_ON_ERROR),
    'ignore_errors' => true,
    'timeout' => 20,
];
$answer = fopen($base . $path, 'r', false, stream_context_create(['http' => $request]));
[$line] = stream_get_meta_data($answer)['wrapper_data'];
[, $status] = explode(' ', $line);
echo $status, "\n", stream_get_contents($answer), "\n";
