<?php
// A PHP site, such as one in Drupal, that vouches for its users: `trusted-site`, by openssl_sign.
// usage: php site.php URL PRIVATE_KEY.pem SITE_ID EMAIL
declare(strict_types=1);

final class CryptoService
{
    public function __construct(private \OpenSSLAsymmetricKey $privateKey, private string $siteId)
    {
    }

    /** payload|timestamp under the site's key. The second is part of it: the same data twice within one is a replay. */
    public function createSignedRequest(array $data): array
    {
        $timestamp = time();
        $payload = json_encode($data, JSON_THROW_ON_ERROR);
        if (!openssl_sign("$payload|$timestamp", $signature, $this->privateKey, OPENSSL_ALGO_SHA256)) {
            throw new \RuntimeException('Failed to sign the request: ' . openssl_error_string());
        }
        return [
            'payload' => $payload,
            'timestamp' => $timestamp,
            'signature' => base64_encode($signature),
            'site_id' => $this->siteId,
        ];
    }
}

final class ApiClient
{
    public function __construct(private string $url, private CryptoService $crypto)
    {
    }

    /** [status, answer] */
    public function register(string $email): array
    {
        $context = stream_context_create(['http' => [
            'method' => 'POST',
            'header' => ['Content-Type: application/json', 'Accept: application/json'],
            'content' => json_encode($this->crypto->createSignedRequest(['email' => $email]), JSON_THROW_ON_ERROR),
            'ignore_errors' => true,
        ]]);
        $answer = file_get_contents($this->url, false, $context);
        return [explode(' ', $http_response_header[0])[1], $answer];
    }
}

[, $url, $path, $siteId, $email] = $argv;
$key = openssl_pkey_get_private("file://$path") ?: throw new \RuntimeException("No private key in $path");
$client = new ApiClient($url, new CryptoService($key, $siteId));
echo implode(' ', $client->register($email));
